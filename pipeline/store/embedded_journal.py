"""Which points of an unfinished version are safe: without a log, only what was flushed is."""

import os
import uuid
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Journal"]

_UUID_BYTES = 16


class Journal:
    """A file of ids that a flush has made durable. It is there until its version is finished."""

    name = "loaded.ids"

    def __init__(self, folder: Path) -> None:
        self._path = folder / self.name

    def ids(self) -> set[str]:
        """All ids that were entered."""
        data = self._path.read_bytes() if self._path.is_file() else b""
        whole = len(data) - len(data) % _UUID_BYTES  # the last entry may be cut off
        return {str(uuid.UUID(bytes=data[i : i + _UUID_BYTES])) for i in range(0, whole, _UUID_BYTES)}

    def enter(self, ids: Iterable[str]) -> None:
        """Add ids; they are on the disk when this returns."""
        with self._path.open("ab") as journal:
            journal.write(b"".join(uuid.UUID(point).bytes for point in ids))
            journal.flush()
            os.fsync(journal.fileno())

    def delete(self) -> None:
        """Forget all; a version that is finished needs none."""
        self._path.unlink(missing_ok=True)
