"""Filters of payload fields, as Qdrant takes them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from qdrant_client import models

from pipeline.given_values import check_mapping
from pipeline.store.field_paths import json_path
from pipeline.store.filter_terms import (
    AnyOf,
    Either,
    Every,
    Not,
    NoValue,
    Range,
    Term,
    Where,
    parse_filters,
)
from pipeline.store.manifest import Version
from pipeline.store.protocol import Store
from pipeline.store.read_points import all_points

__all__ = ["matching", "qdrant_filter", "wanted_of"]


def wanted_of(
    version: Version, filters: Mapping[str, Any] | None, excluded: Mapping[str, Any] | None = None
) -> tuple[Where, ...]:
    """What `filters` ask of the points of a version, and what `excluded` says that none may have.

    Raises:
        SimileError: a field that is no filter of this version, or a value that does not fit its field.
    """
    for name, given in (("filters", filters), ("excluded", excluded)):
        check_mapping(name, given, '{"style": "Cubism"}')
    version.check_fields([*(filters or {}), *(excluded or {})])
    kinds = version.manifest.kinds
    unwanted = (Where(each.field, Not(each.term)) for each in parse_filters(excluded, kinds))
    return (*parse_filters(filters, kinds), *unwanted)


def matching(store: Store, version: Version, filters: Mapping[str, Any]) -> set[str]:
    """Ids of the points that every one of `filters` admits.

    Raises:
        SimileError: as `wanted_of`.
    """
    only = qdrant_filter(wanted_of(version, filters))
    return {str(point.id) for point in all_points(store, version.name, [], only)} if only else set()


def qdrant_filter(wanted: Sequence[Where], without_ids: Sequence[str] = ()) -> models.Filter | None:
    """All of `wanted`, and none of the points `without_ids`; None where nothing is asked."""
    must = [_condition(each.field, each.term) for each in wanted if not isinstance(each.term, Not)]
    must_not = [_condition(each.field, each.term.term) for each in wanted if isinstance(each.term, Not)]
    if without_ids:
        must_not.append(models.HasIdCondition(has_id=list(without_ids)))
    if not must and not must_not:
        return None
    return models.Filter(must=must or None, must_not=must_not or None)


def _condition(field: str, term: Term) -> Any:
    match term:
        case AnyOf(values):
            return _any_of(json_path(field), values)
        case Range():
            return models.FieldCondition(key=json_path(field), range=_range(term))
        case NoValue():
            return models.IsEmptyCondition(is_empty=models.PayloadField(key=json_path(field)))
        case Not(inner):
            return models.Filter(must_not=[_condition(field, inner)])
        case Either(terms):
            return models.Filter(should=[_condition(field, each) for each in terms])
        case Every(terms):
            return models.Filter(must=[_condition(field, each) for each in terms])


def _any_of(key: str, values: tuple[str | int | bool, ...]) -> Any:
    """Qdrant has no list of booleans to match."""
    if len(values) > 1 and not any(isinstance(value, bool) for value in values):
        return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))
    each = [models.FieldCondition(key=key, match=models.MatchValue(value=value)) for value in values]
    return each[0] if len(each) == 1 else models.Filter(should=list(each))


def _range(term: Range) -> models.Range | models.DatetimeRange:
    bounds: dict[str, Any] = {
        "gte": term.gte,
        "gt": term.gt,
        "lte": term.lte,
        "lt": term.lt,
    }
    of_times = any(isinstance(bound, datetime) for bound in bounds.values())
    return models.DatetimeRange(**bounds) if of_times else models.Range(**bounds)
