"""Counts that a page shows again and again: kept for a while, and approximate where exact ones take long."""

import threading
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache
from qdrant_client import models

from pipeline.store import Store
from pipeline.store.manifest import Version

__all__ = ["EXACT_UP_TO", "Counted", "Counts"]

# Pictures. An exact count grows with them: of 500,000 it took 56 ms, twelve times the search beside it.
EXACT_UP_TO = 100_000
_KEPT, _SECONDS = 512, 30.0  # answers of a collection; a server's version may change while it is searched


@dataclass(frozen=True)
class Counted:
    """A number of pictures; not `exact`: about so many. `str` is for people."""

    pictures: int
    exact: bool

    def __str__(self) -> str:
        return f"{self.pictures:,}" if self.exact else f"about {self.pictures:,}"


class Counts:
    """Counts of the versions of one collection."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: TTLCache[tuple[Any, ...], Any] = TTLCache(_KEPT, _SECONDS)
        self._lock = threading.Lock()

    def points(self, version: Version) -> Counted:
        """All pictures of a version."""
        key = (version.name,)
        found: Counted | None = self._get(key)
        if found is None:
            exact = _exact(version)
            found = Counted(self._store.count(version.name, exact=exact), exact)
            self._put(key, found)
        return found

    def values(
        self, version: Version, field: str, limit: int, query_filter: models.Filter | None
    ) -> list[tuple[Any, int]]:
        """See `Store.facet`."""
        key = (version.name, field, limit, query_filter.model_dump_json() if query_filter else "")
        found: tuple[tuple[Any, int], ...] | None = self._get(key)
        if found is None:
            exact = _exact(version)
            found = tuple(self._store.facet(version.name, field, limit, query_filter, exact=exact))
            self._put(key, found)
        return list(found)

    def _get(self, key: tuple[Any, ...]) -> Any:
        with self._lock:
            return self._kept.get(key)

    def _put(self, key: tuple[Any, ...], found: Any) -> None:
        with self._lock:
            self._kept[key] = found


def _exact(version: Version) -> bool:
    return version.manifest.rows <= EXACT_UP_TO
