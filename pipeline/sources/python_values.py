"""Values of Arrow as Python's own, also those that pyarrow alone refuses: one of them must not end a job."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["python_values", "say_left_out"]

log = logging.getLogger("simile")

# Of text that is no UTF-8, of times that Python's calendar lacks, and of unknown time zones.
_REFUSALS = (ValueError, OverflowError, LookupError)


def python_values(name: str, column: pa.Array | pa.ChunkedArray) -> list[Any]:
    r"""The values of a column, N of them; maps are dicts.

    Bytes of a text that are no UTF-8 are written `\xf1`. A time outside the years 1 to 9999 is None, and a
    warning says so, once for each column.

    Args:
        name: of the column, for the warning.
    """
    import pyarrow as pa

    try:
        # Asked for maps, pyarrow goes value by value.
        maps = "lossy" if pa.types.is_nested(column.type) else None
        values: list[Any] = column.to_pylist(maps_as_pydicts=maps)
        return values
    except _REFUSALS:  # of a single value, perhaps
        return [_value(name, each) for each in column]


def _value(name: str, given: pa.Scalar) -> Any:
    import pyarrow as pa

    try:
        return given.as_py(maps_as_pydicts="lossy")
    except _REFUSALS:
        pass
    if isinstance(given, pa.DictionaryScalar):
        return _value(name, given.value)
    if isinstance(given, pa.StringScalar):
        return given.as_buffer().to_pybytes().decode(errors="backslashreplace")
    if isinstance(given, pa.MapScalar):  # before lists: it is one
        return {_value(name, pair[0]): _value(name, pair[1]) for pair in given.values}
    if isinstance(given, pa.ListScalar):
        return [_value(name, each) for each in given.values]
    if isinstance(given, pa.StructScalar):
        return {key: _value(name, each) for key, each in given.items()}
    say_left_out(name, str(given.type), "has no place in a payload, such as a date after the year 9999")
    return None


@cache
def say_left_out(name: str, kind: str, why: str) -> None:
    """Warn, once for each column and reason, of a value that becomes null."""
    log.warning("the column '%s' holds a value of the type %s that %s; it is left out", name, kind, why)
