"""What the values of a filter field are: counted, or from where to where they reach."""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import SimileError
from pipeline.search.counts import Counts
from pipeline.store import Store
from pipeline.store.filters import qdrant_filter, wanted_of
from pipeline.store.manifest import Version
from pipeline.store.read_points import least_and_greatest

__all__ = ["bounds", "facets", "without_value"]


def facets(
    counts: Counts, version: Version, field: str, filters: Mapping[str, Any] | None, limit: int
) -> list[tuple[Any, int]]:
    """Up to `limit` values of a field of text, whole numbers or booleans with counts, most frequent first.

    Raises:
        SimileError: no such field, one of fractions or times, or `filters` that do not fit.
    """
    version.check_fields([field])
    kind = version.manifest.kinds[field]
    if not kind.counted:
        raise SimileError(f"'{field}' holds {kind.words}, which are not counted; ask for its bounds.")
    return counts.values(version, field, limit, qdrant_filter(wanted_of(version, filters)))


def bounds(store: Store, version: Version, field: str) -> tuple[Any, Any] | None:
    """The least and greatest value of a field of numbers or times; None where no picture has one.

    Raises:
        SimileError: no such field, or one without an order.
    """
    version.check_fields([field])
    kind = version.manifest.kinds[field]
    if not kind.ordered:
        raise SimileError(f"'{field}' holds {kind.words} and has no bounds; ask for its values.")
    return least_and_greatest(store, version.name, field)


def without_value(
    store: Store, version: Version, field: str, filters: Mapping[str, Any] | None = None
) -> int:
    """How many pictures that pass the `filters` of other fields have no value of this one."""
    others = {name: wanted for name, wanted in (filters or {}).items() if name != field}
    return store.count(version.name, qdrant_filter(wanted_of(version, {**others, field: None})))
