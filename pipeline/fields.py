"""Kinds of payload fields: what a value of each is, and how one is read from what a person or program gives.

A field holds JSON: text, whole numbers of 64 bits with a sign, numbers, true and false, and times as text in
ISO 8601; or several values of one of these as a list.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from pipeline.errors import SimileError

__all__ = [
    "DAY",
    "EXACT",
    "FieldKind",
    "Kind",
    "Value",
    "in_utc",
    "is_day",
    "plain_scalar",
    "read_time",
    "read_value",
    "refuse",
    "values_of",
]

Kind = Literal["text", "integer", "number", "boolean", "time"]
Value = str | int | float | bool | datetime

EXACT = 2**53  # whole numbers up to here are exact as 64-bit floats, which is what a browser has
_INT64 = 2**63
_SHOWN = 60  # characters of a wrong value that a message repeats
_WORDS: Mapping[Kind, str] = {
    "text": "text",
    "integer": "whole numbers",
    "number": "numbers",
    "boolean": "true or false",
    "time": "times",
}
_POSSIBLE: Mapping[Kind, str] = {
    "text": 'a text, a list of texts, null, or {"not": …}',
    "integer": 'a whole number, a list of them, a range such as {"gte": 1900, "lt": 1950}, null, '
    'or {"not": …}',
    "number": 'a number, a list of them, a range such as {"gte": 0.5, "lt": 1}, null, or {"not": …}',
    "boolean": "true, false or null",
    "time": 'a date such as "2024-05-31" or a time such as "2024-05-31T10:00:00Z", a list of them, a range '
    'such as {"gte": "2024-01-01"}, null, or {"not": …}',
}


@dataclass(frozen=True)
class FieldKind:
    """What a payload field holds.

    Attributes:
        kind: of each value.
        many: a picture may have several values, as a list; a filter looks for any of them.
    """

    kind: Kind
    many: bool = False

    @property
    def words(self) -> str:
        """For messages: `whole numbers`."""
        return f"lists of {_WORDS[self.kind]}" if self.many else _WORDS[self.kind]

    @property
    def is_label(self) -> bool:
        """Whether it says in one word what a picture is."""
        return self.counted and not self.many

    @property
    def ordered(self) -> bool:
        """Whether ranges make sense: numbers and times. Their values are not counted."""
        return self.kind in ("integer", "number", "time")

    @property
    def counted(self) -> bool:
        """Whether the values can be counted one by one; Qdrant does so for text, integers and booleans."""
        return self.kind in ("text", "integer", "boolean")


def refuse(field: str, kind: FieldKind, given: Any) -> SimileError:
    """The error for a filter that does not fit its field."""
    shown = repr(given) if isinstance(given, str) else str(given)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
    return SimileError(
        f"'{field}' holds {kind.words}, and {shown} was given to filter it; possible are "
        f"{_POSSIBLE[kind.kind]}."
    )


def plain_scalar(given: Any) -> Any:
    """A scalar of numpy or torch as Python's own; anything else unchanged."""
    item = getattr(given, "item", None)
    return item() if callable(item) and getattr(given, "shape", None) == () else given


def read_value(field: str, kind: FieldKind, given: Any) -> Value:
    """One value of a field, from Python, JSON, or the text of a command line or an address.

    >>> read_value("year", FieldKind("integer"), "1900"), read_value("sold", FieldKind("boolean"), "true")
    (1900, True)

    Raises:
        SimileError: it is of another kind; the message names the field, the value and what is possible.
    """
    given = plain_scalar(given)
    value: Value | None = None
    match kind.kind:
        case "text":
            value = given if isinstance(given, str) else None
        case "boolean":
            known = {"true": True, "false": False}
            value = known.get(given.lower()) if isinstance(given, str) else given
            value = value if isinstance(value, bool) else None
        case "integer":
            value = _whole(given)
        case "number":
            value = _number(given)
        case "time":
            value = read_time(given)
    if value is None:
        raise refuse(field, kind, given)
    return value


def _whole(given: Any) -> int | None:
    if isinstance(given, str) and re.fullmatch(r"\s*[+-]?\d{1,19}\s*", given, re.ASCII):
        given = int(given)
    if isinstance(given, float) and given.is_integer() and abs(given) <= EXACT:
        given = int(given)
    fits = isinstance(given, int) and not isinstance(given, bool) and -_INT64 <= given < _INT64
    return given if fits else None


def _number(given: Any) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        value = float(given)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def read_time(given: Any) -> datetime | None:
    """A date or time with its zone; one without is UTC, a date is its midnight. None: it is neither."""
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given.strip())
        except ValueError:
            return None
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime.combine(given, time())
    if not isinstance(given, datetime):
        return None
    return in_utc(given)


def in_utc(given: datetime) -> datetime:
    """The same moment in UTC; a time without a zone is taken for UTC, as Qdrant does."""
    return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)


def is_day(given: Any) -> bool:
    """Whether a date without a time of day was given: it stands for the whole day."""
    if isinstance(given, datetime):
        return False
    if isinstance(given, str):
        return re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", given.strip(), re.ASCII) is not None
    return isinstance(given, date)


DAY = timedelta(days=1)


def values_of(value: Any) -> list[Any]:
    """The values of a payload field: of a list each, of None none."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
