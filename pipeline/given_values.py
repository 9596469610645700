"""Values that people and programs hand over as settings: each is what it has to be, or is refused by name."""

import math
import operator
from collections.abc import Mapping
from typing import Any

from pipeline.errors import SimileError
from pipeline.fields import plain_scalar

__all__ = ["check_bool", "check_mapping", "check_number", "check_whole"]


def check_whole(name: str, given: Any, least: int, most: int | None = None) -> None:
    """Refuses what is no whole number from `least` to `most`; whole numbers of numpy are fine.

    Raises:
        SimileError: naming the setting, what was given and what is possible.
    """
    reach = f"between {least} and {most}" if most is not None else f"{least} or more"
    try:
        value = operator.index(given)
    except TypeError:
        value = None
    if value is None or isinstance(given, bool):
        raise SimileError(f"{name} is {given!r}, {_kind(given)}; it must be a whole number, {reach}.")
    if value < least or (most is not None and value > most):
        raise SimileError(f"{name} is {given}; it must be {reach}.")


def check_number(name: str, given: Any, least: float, most: float) -> None:
    """Refuses what is no number from `least` to `most`.

    Raises:
        SimileError: as `check_whole`.
    """
    value = plain_scalar(given)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SimileError(
            f"{name} is {given!r}, {_kind(given)}; it must be a number between {least} and {most}."
        )
    if math.isnan(value) or not least <= value <= most:
        raise SimileError(f"{name} is {given}; it must be between {least} and {most}.")


def check_bool(name: str, given: Any) -> None:
    """Refuses what is neither True nor False: a text such as "no" would count as true.

    Raises:
        SimileError: as `check_whole`.
    """
    if not isinstance(plain_scalar(given), bool):
        raise SimileError(f"{name} is {given!r}, {_kind(given)}; it must be True or False.")


def check_mapping(name: str, given: Any, example: str) -> None:
    """Refuses what does not map fields to values.

    Raises:
        SimileError: as `check_whole`.
    """
    if given is not None and not isinstance(given, Mapping):
        raise SimileError(
            f"{name} is {given!r}, {_kind(given)}; it must map fields to what is wanted, such as {example}."
        )


def _kind(given: Any) -> str:
    return "a text" if isinstance(given, str) else f"of type {type(given).__name__}"
