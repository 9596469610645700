"""Which type a column of metadata has: by all of its values, and never so that a value loses something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["typed_text", "typed_values"]

_INTEGER = r"^(0|-?[1-9][0-9]*)$"  # 007 is a text: it would lose its zeros
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"
_BOOLEAN = r"^(?i:true|false)$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[-+][0-9]{2}:?[0-9]{2})?$"
)


def typed_text(values: Sequence[str | None]) -> pa.Array:
    """A column of text as whole numbers, numbers, true/false, dates or moments, if every value is one.

    >>> typed_text(["1990", None, "1992"]).type, typed_text(["7", "007"]).type, typed_text(["NA", "1"]).type
    (DataType(int64), DataType(string), DataType(string))
    """
    import pyarrow as pa

    texts = pa.array(values, pa.string())
    if _all(texts, _INTEGER):
        return _first_cast(texts, pa.int64(), pa.uint64())
    if _all(texts, _NUMBER):
        return texts.cast(pa.float64())
    if _all(texts, _BOOLEAN):
        return texts.cast(pa.bool_())
    return dated_text(texts)


def dated_text(texts: pa.Array) -> pa.Array:
    """A column of text as dates or moments, if every value is one."""
    import pyarrow as pa

    if _all(texts, _DATE):
        return _first_cast(texts, pa.date32())
    if _all(texts, _MOMENT):
        return _first_cast(texts, pa.timestamp("us"), pa.timestamp("us", "UTC"))
    return texts


def typed_values(name: str, column: str, values: Sequence[Any], places: Sequence[str]) -> pa.Array:
    """A column of JSON values; texts that are all dates become dates.

    >>> typed_values("set", "n", [2**63, 1], ["", ""]).type, typed_values("set", "n", [2**64], [""]).type
    (DataType(uint64), DataType(string))

    Args:
        name, column: for messages.
        values: what JSON can hold.
        places: where each of them stands, such as "line 7".

    Raises:
        SimileError: the values have no type in common; names the places of two that differ.
    """
    import pyarrow as pa

    try:
        array = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        if all(value is None or type(value) is int for value in values):
            # As of text: what 64 bits do not hold stays as it was written.
            return typed_text([None if value is None else str(value) for value in values])
        raise SimileError(_differing(name, column, values, places)) from None
    if pa.types.is_null(array.type):
        return array.cast(pa.string())
    return dated_text(array) if pa.types.is_string(array.type) else array


def _all(texts: pa.Array, pattern: str) -> bool:
    """Whether there are values, and all of them match."""
    import pyarrow.compute as pc

    return texts.null_count < len(texts) and bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())


def _first_cast(texts: pa.Array, *kinds: pa.DataType) -> pa.Array:
    """The texts as the first of `kinds` that holds them all; else as they are."""
    import pyarrow as pa

    for kind in kinds:
        try:
            return texts.cast(kind)
        except pa.ArrowInvalid:
            continue
    return texts


def _differing(name: str, column: str, values: Sequence[Any], places: Sequence[str]) -> str:
    there = [(value, place) for value, place in zip(values, places, strict=True) if value is not None]
    first, at = there[0]
    other, place = next(
        ((value, place) for value, place in there if type(value) is not type(first)), (first, at)
    )
    return (
        f"the column '{column}' of '{name}' holds {_kind(first)} in {at} and {_kind(other)} in {place}; "
        "write all of its values in one way"
    )


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    return kinds.get(type(value), "an object")
