"""What a collection holds, without a search: its pictures by id, and the values of their fields."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.errors import SimileError
from pipeline.search import field_values
from pipeline.search.counts import Counts
from pipeline.search.hit import Hit, hit_from
from pipeline.store import Store
from pipeline.store.manifest import Version
from pipeline.store.read_points import all_points

__all__ = ["StoredPictures"]


class StoredPictures:
    """The part of a `Collection` that looks things up."""

    name: str
    _store: Store
    _counts: Counts

    def _version(self) -> Version:
        """The live version."""
        raise NotImplementedError

    @property
    def live(self) -> tuple[Store, Version]:
        """The store, and the version that answers now: for what reads more than hits."""
        return self._store, self._version()

    def ids(self) -> Iterator[str]:
        """Ids of all pictures, in order."""
        return (str(point.id) for point in all_points(self._store, self._version().name, fields=[]))

    def get(self, point_id: str) -> Hit:
        """A stored picture; its score is 1 and its distance 0."""
        found = self.get_many([point_id])
        if not found:
            raise SimileError(f"'{self.name}' has no picture '{point_id}' any more; search again.")
        return found[0]

    def get_many(self, point_ids: Sequence[str]) -> list[Hit]:
        """Stored pictures in the order asked for; those that are gone are left out."""
        version = self._version()
        found = {str(r.id): r for r in self._store.retrieve(version.name, list(dict.fromkeys(point_ids)))}
        return [hit_from(i, found[i].payload or {}, version.manifest.labels) for i in point_ids if i in found]

    def examples(self, n: int = 8) -> list[Hit]:
        """`n` fixed pictures. Ids are hashes, so the first ones by id are a fair sample."""
        version, store = self._version(), self._store
        labels = version.manifest.labels
        return [hit_from(str(r.id), r.payload or {}, labels) for r in store.scroll(version.name, n)]

    def sample(self, n: int) -> list[Hit]:
        """`n` pictures from a random place in the order of ids, which are hashes."""
        version = self._version()
        records = self._store.scroll(version.name, n, str(uuid.uuid4()))
        if len(records) < n:  # near the end: go on from the beginning
            there = {str(r.id) for r in records}
            first = self._store.scroll(version.name, n)
            records += [r for r in first if str(r.id) not in there][: n - len(records)]
        return [hit_from(str(r.id), r.payload or {}, version.manifest.labels) for r in records]

    def facets(
        self, field: str, filters: Mapping[str, Any] | None = None, limit: int = 200
    ) -> list[tuple[Any, int]]:
        """Values of a filter field and how many pictures have each, most frequent first.

        Of half a minute ago at most; where `counted` is not exact, these are not, either.

        Raises:
            SimileError: no such field, one of fractions or times, or `filters` that do not fit.
        """
        return field_values.facets(self._counts, self._version(), field, filters, limit)

    def bounds(self, field: str) -> tuple[Any, Any] | None:
        """The least and greatest value of a filter field; see `field_values.bounds`."""
        return field_values.bounds(*self.live, field)

    def without_value(self, field: str, filters: Mapping[str, Any] | None = None) -> int:
        """How many pictures have no value of a filter field."""
        return field_values.without_value(*self.live, field, filters)
