"""The pictures that a collection holds, without a query: one by one, some, all, and the values they have."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.points import checked_id
from pipeline.search import field_values
from pipeline.search.hit import Hit, Hits, hit_from
from pipeline.search.live_collection import LiveCollection
from pipeline.search.notebook import collection_html
from pipeline.store.filters import qdrant_filter, wanted_of
from pipeline.store.manifest import Version
from pipeline.store.read_points import all_points

__all__ = ["StoredPictures"]

_PAGE = 256  # hits that an iteration holds: some 10 kB each
_SHOWN = 8  # pictures of a collection in a notebook


class StoredPictures(LiveCollection):
    """A collection as a container: `for hit in collection`, `point_id in collection`."""

    def ids(self) -> Iterator[str]:
        """Ids of all pictures, in order."""
        return (str(point.id) for point in all_points(self._store, self._version().name, fields=[]))

    def __iter__(self) -> Iterator[Hit]:
        """All pictures, in the order of their ids; as `get` gives them."""
        return self.pictures()

    def pictures(self, filters: Mapping[str, Any] | None = None) -> Iterator[Hit]:
        """All pictures that pass the `filters` of a search, in the order of their ids.

        Raises:
            SimileError: a field that is no filter, or a value that does not fit its field.
        """
        version = self._version()
        only = qdrant_filter(wanted_of(version, filters))
        points = all_points(self._store, version.name, query_filter=only, page=_PAGE)
        return (_hit(version, point) for point in points)

    def __contains__(self, point_id: object) -> bool:
        return isinstance(point_id, str) and bool(
            self._store.retrieve(self._version().name, [checked_id(point_id)], fields=[])
        )

    def get(self, point_id: str) -> Hit:
        """A stored picture; its score is 1 and its distance 0.

        Raises:
            SimileError: this is no id, or there is no such picture any more.
        """
        found = self.get_many([point_id])
        if not found:
            raise SimileError(f"'{self.name}' has no picture '{point_id}' any more; search again.")
        return found[0]

    def get_many(self, point_ids: Sequence[str]) -> list[Hit]:
        """Stored pictures in the order asked for; those that are gone are left out.

        Raises:
            SimileError: one of them is no id.
        """
        version = self._version()
        wanted = [checked_id(each) for each in point_ids]
        found = {str(r.id): r for r in self._store.retrieve(version.name, list(dict.fromkeys(wanted)))}
        return Hits(_hit(version, found[i]) for i in wanted if i in found)

    def examples(self, n: int = 8) -> list[Hit]:
        """`n` fixed pictures. Ids are hashes, so the first ones by id are a fair sample."""
        version = self._version()
        return Hits(_hit(version, record) for record in self._store.scroll(version.name, n))

    def sample(self, n: int) -> list[Hit]:
        """`n` pictures from a random place in the order of ids, which are hashes."""
        version = self._version()
        records = self._store.scroll(version.name, n, str(uuid.uuid4()))
        if len(records) < n:  # near the end: go on from the beginning
            there = {str(r.id) for r in records}
            first = self._store.scroll(version.name, n)
            records += [r for r in first if str(r.id) not in there][: n - len(records)]
        return Hits(_hit(version, record) for record in records)

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

    def _repr_html_(self) -> str:
        """For notebooks."""
        return collection_html(self.name, self.manifest, str(self.counted), self.examples(_SHOWN))


def _hit(version: Version, record: models.Record) -> Hit:
    return hit_from(str(record.id), record.payload or {}, version.manifest.labels)
