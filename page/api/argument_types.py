"""The kinds of an endpoint's arguments: what programs send is checked before anything is done with it."""

import inspect
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from pipeline.errors import SimileError
from pipeline.printable import printable

__all__ = ["AS_DATA", "checked_arguments"]

_LARGEST = 2**63  # of a whole number; Python's own have no end, and no float holds them
# Arguments whose text is JSON: programs may send what it says, too.
AS_DATA: dict[str, type | tuple[type, ...]] = {
    "filters": Mapping,
    "excluded": Mapping,
    "at_most": Mapping,
    "box": (list, tuple),
    "vector": (list, tuple),
}
_SHOWN = 60  # characters of a wrong value in its sentence


def checked_arguments(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> dict[str, Any]:
    """The arguments of a call by name, each of the kind that the endpoint declares.

    A missing value (null) of an argument that has a default is that default. Whole numbers may be written
    as 5.0. Arguments of other kinds than text, numbers, true or false and lists of text are passed on.

    Raises:
        SimileError: an argument is missing, unknown, or of another kind; the message names it.
    """
    try:
        given = inspect.signature(function).bind(*args, **kwargs).arguments
    except TypeError as error:
        raise SimileError(
            f"the arguments do not fit: {printable(error, 200)}; the API page lists them"
        ) from None
    parameters = inspect.signature(function).parameters
    kinds = _kinds(function)
    checked = {}
    for name, value in given.items():
        default = parameters[name].default
        if value is None and default is not inspect.Parameter.empty:
            checked[name] = default
        else:
            checked[name] = _checked(name, value, kinds.get(name))
    return checked


@cache
def _kinds(function: Callable[..., Any]) -> dict[str, Any]:
    hints = get_type_hints(function)
    return {name: str if hint == str | None else hint for name, hint in hints.items()}


def _checked(name: str, value: Any, kind: Any) -> Any:
    if isinstance(value, AS_DATA.get(name, ())):
        return value
    if kind is str and not isinstance(value, str):
        raise _wrong(name, "text", value)
    if kind is bool and not isinstance(value, bool):
        raise _wrong(name, "true or false", value)
    if kind is int:
        return _whole(name, value)
    if kind is float:
        if not _is_number(value):
            raise _wrong(name, "a number", value)
        return float(value)
    if kind == list[str] and not (
        isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    ):
        raise _wrong(name, "a list of texts", value)
    return value


def _whole(name: str, value: Any) -> int:
    if not _is_number(value) or value != int(value):
        raise _wrong(name, "a whole number", value)
    return int(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _LARGEST if isinstance(value, int) else math.isfinite(value)


def _wrong(name: str, expected: str, value: Any) -> SimileError:
    return SimileError(f"{name} must be {expected}, not {printable(repr(value), _SHOWN)}")
