"""What a filter asks of a field, as frozen records, and the one way to read it from plain values.

A filter maps a field to what is wanted. It may come from Python, JSON, a command line or the page:

    1900 or "cat"                    this value
    ["cat", "dog", null]             any of these; null is "no value"
    {"gte": 1900, "lt": 1950}        a range, with gte, gt, lte and lt
    {"not": ["cat", "dog"]}          anything else, also pictures without a value
    {"any": [...], "gte": 1900}      several of these at once: all must hold
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipeline.errors import SimileError
from pipeline.fields import DAY, EXACT, FieldKind, is_day, plain_scalar, read_value, refuse

__all__ = [
    "AnyOf",
    "Either",
    "Every",
    "NoValue",
    "Not",
    "Range",
    "Term",
    "Where",
    "parse_filters",
    "parse_term",
]

_BOUNDS = ("gte", "gt", "lte", "lt")
_OPERATORS = (*_BOUNDS, "any", "not")


@dataclass(frozen=True)
class AnyOf:
    """One of the values: all of them text, whole numbers, or true and false."""

    values: tuple[str | int | bool, ...]


@dataclass(frozen=True)
class Range:
    """Numbers, or times with their zone; None: no bound on this side."""

    gte: float | datetime | None = None
    gt: float | datetime | None = None
    lte: float | datetime | None = None
    lt: float | datetime | None = None


@dataclass(frozen=True)
class NoValue:
    """The field is missing, null or an empty list."""


@dataclass(frozen=True)
class Not:
    """Whatever `term` leaves out."""

    term: "Term"


@dataclass(frozen=True)
class Either:
    """At least one of `terms` holds."""

    terms: tuple["Term", ...]


@dataclass(frozen=True)
class Every:
    """All of `terms` hold."""

    terms: tuple["Term", ...]


Term = AnyOf | Range | NoValue | Not | Either | Every


@dataclass(frozen=True)
class Where:
    """A term about a field."""

    field: str
    term: Term


def parse_filters(filters: Mapping[str, Any] | None, kinds: Mapping[str, FieldKind]) -> tuple[Where, ...]:
    """What `filters` ask; a field whose list is empty asks nothing.

    Args:
        filters: field -> what is wanted, as in the module's docstring. All fields must hold.
        kinds: of the fields; those of `filters` are among them.

    Raises:
        SimileError: a value of the wrong kind, or an unknown operator. It names field, value, and what is
            possible.
    """
    terms = ((field, parse_term(field, kinds[field], wanted)) for field, wanted in (filters or {}).items())
    return tuple(Where(field, term) for field, term in terms if term is not None)


def parse_term(field: str, kind: FieldKind, wanted: Any) -> Term | None:
    """What is asked of one field; None of an empty list.

    >>> parse_term("year", FieldKind("integer"), {"gte": 1900, "lt": 1950})
    Range(gte=1900, gt=None, lte=None, lt=1950)
    """
    wanted = plain_scalar(wanted)
    if wanted is None:
        return NoValue()
    if isinstance(wanted, Mapping):
        return _of_operators(field, kind, wanted)
    if isinstance(wanted, list | tuple | set | frozenset):
        return _of_list(field, kind, list(wanted))
    return _equal(field, kind, wanted)


def _of_list(field: str, kind: FieldKind, wanted: list[Any]) -> Term | None:
    """Values that Qdrant matches by equality are asked for together."""
    values: dict[Any, None] = {}
    others: list[Term] = []
    for one in wanted:
        term = None if isinstance(one, list | tuple | set) else parse_term(field, kind, one)
        if term is None:
            raise refuse(field, kind, one)
        if isinstance(term, AnyOf):
            values |= dict.fromkeys(term.values)
        else:
            others.append(term)
    terms = ([AnyOf(tuple(values))] if values else []) + others
    return None if not terms else terms[0] if len(terms) == 1 else Either(tuple(terms))


def _of_operators(field: str, kind: FieldKind, wanted: Mapping[str, Any]) -> Term | None:
    unknown = [str(name) for name in wanted if name not in _OPERATORS]
    if unknown or not wanted:
        given = f"the operator '{unknown[0]}'" if unknown else "no operator"
        raise SimileError(
            f"The filter of '{field}' has {given}; there are: {', '.join(_OPERATORS)}, as in "
            '{"gte": 1900, "lt": 1950}.'
        )
    terms = [
        _range(field, kind, {name: wanted[name] for name in _BOUNDS if name in wanted}, wanted),
        parse_term(field, kind, wanted["any"]) if "any" in wanted else None,
        _negated(parse_term(field, kind, wanted["not"])) if "not" in wanted else None,
    ]
    found = [term for term in terms if term is not None]
    return None if not found else found[0] if len(found) == 1 else Every(tuple(found))


def _negated(term: Term | None) -> Term | None:
    return None if term is None else Not(term)


def _range(field: str, kind: FieldKind, bounds: dict[str, Any], given: Any) -> Range | None:
    if not bounds:
        return None
    if not kind.ordered or ("gt" in bounds and "gte" in bounds) or ("lt" in bounds and "lte" in bounds):
        raise refuse(field, kind, dict(given))
    found = Range()
    for name, bound in bounds.items():
        found = replace(found, **_bound(name, _ordered(field, kind, bound), is_day(bound)))
    return found


def _ordered(field: str, kind: FieldKind, given: Any) -> Any:
    """A value with neighbours; Qdrant compares whole numbers as 64-bit floats."""
    value = read_value(field, kind, given)
    if isinstance(value, int) and abs(value) > EXACT:
        raise SimileError(
            f"'{field}' cannot be compared with {value}: ranges are exact up to 2^53; name single values."
        )
    return value


# A date stands for the whole of its day: after a day begins with the next one, up to a day includes it.
_WHOLE_DAY: dict[str, Callable[[datetime], dict[str, datetime]]] = {
    "gte": lambda day: {"gte": day},
    "gt": lambda day: {"gte": day + DAY},
    "lte": lambda day: {"lt": day + DAY},
    "lt": lambda day: {"lt": day},
}


def _bound(name: str, value: Any, whole_day: bool) -> dict[str, Any]:
    return _WHOLE_DAY[name](value) if whole_day and isinstance(value, datetime) else {name: value}


def _equal(field: str, kind: FieldKind, wanted: Any) -> Term:
    """Qdrant matches text, whole numbers and booleans by equality, and others by a range of one value."""
    value = read_value(field, kind, wanted)
    if isinstance(value, float | datetime):
        if isinstance(value, datetime) and is_day(wanted):
            return Range(gte=value, lt=value + DAY)
        return Range(gte=value, lte=value)
    return AnyOf((value,))
