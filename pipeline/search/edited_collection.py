"""What the owner of a collection changes about its pictures: tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.home import resolve_home
from pipeline.search.vectors_out import VectorsOut

__all__ = ["EditedCollection"]


class EditedCollection(VectorsOut):
    """Each change holds the writer's lock, as an index job does, and is seen by the next question."""

    def tag(self, ids: Sequence[str], tag: str) -> dict[str, Any]:
        """Give pictures a tag: a value of the filter field `tags`, which rebuilds keep.

        Args:
            ids: of pictures.
            tag: any text of one line.

        Returns:
            How many were `tagged`, how many `had_it` already, and the `version` that is live then.

        Raises:
            SimileError: another writer is at work, there is no such picture, or the text is no tag.
        """
        return self._tagged(ids, tag, remove=False)

    def untag(self, ids: Sequence[str], tag: str) -> dict[str, Any]:
        """Take a tag from pictures; what their source says in its own column `tags` stays.

        Returns:
            How many were `untagged`, how many `had_it_not`, and the `version` that is live then.

        Raises:
            SimileError: as `tag`.
        """
        return self._tagged(ids, tag, remove=True)

    def _tagged(self, ids: Sequence[str], tag: str, *, remove: bool) -> dict[str, Any]:
        from pipeline.editing.tags import tag_points
        from pipeline.locks.fenced_store import fenced
        from pipeline.locks.lock import writer_lock

        home = resolve_home(self._home)
        with writer_lock(home, self.name) as lock:
            store = fenced(self._store, lock.check)
            told = tag_points(store, home, self.name, ids, tag, remove=remove)
        self.refresh()
        return told
