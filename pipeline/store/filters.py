"""Filters of payload fields, as Qdrant takes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from qdrant_client import models

from pipeline.store.manifest import Version
from pipeline.store.protocol import Store
from pipeline.store.read_points import all_points

__all__ = ["matching", "qdrant_filter"]


def matching(store: Store, version: Version, filters: Mapping[str, Sequence[Any]]) -> set[str]:
    """Ids of the points that every one of `filters` (field -> values) admits.

    Raises:
        SimileError: a field that is no filter of this version.
    """
    version.check_fields(filters)
    must: list[Any] = [_condition(field, list(values)) for field, values in filters.items()]
    return {str(point.id) for point in all_points(store, version.name, [], models.Filter(must=must))}


def qdrant_filter(
    filters: Mapping[str, Any] | None,
    excluded: Mapping[str, Sequence[Any]] | None = None,
    without_ids: Sequence[str] = (),
) -> models.Filter | None:
    """Field -> value or values, ANDed, and what must not be; empty lists ask nothing."""
    must = [_condition(field, wanted) for field, wanted in (filters or {}).items() if _asks(wanted)]
    must_not: list[Any] = [
        _condition(field, list(values)) for field, values in (excluded or {}).items() if values
    ]
    if without_ids:
        must_not.append(models.HasIdCondition(has_id=list(without_ids)))
    if not must and not must_not:
        return None
    return models.Filter(must=must or None, must_not=must_not or None)


def _asks(wanted: Any) -> bool:
    return not isinstance(wanted, list | tuple | set) or bool(wanted)


def _condition(field: str, wanted: Any) -> models.FieldCondition:
    if isinstance(wanted, list | tuple | set):
        return models.FieldCondition(key=field, match=models.MatchAny(any=list(wanted)))
    return models.FieldCondition(key=field, match=models.MatchValue(value=wanted))
