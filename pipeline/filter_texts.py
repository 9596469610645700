"""Filters as a command line gives them: `year>=1900`."""

import re
from collections.abc import Sequence
from typing import Any

from pipeline.errors import SimileError
from pipeline.parsing import parse_json

__all__ = ["FILTER_HELP", "read_filters"]

FILTER_HELP = (
    "also FIELD!=VALUE and FIELD>=VALUE (>, <=, <), or a JSON object as in a search; may be repeated: fields "
    "are ANDed"
)
_OPERATORS = {"=": "any", "!=": "not", ">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}


def read_filters(texts: Sequence[str]) -> dict[str, Any]:
    """What `--filter` asks, as a search takes it. Values are texts; the collection's fields give them a type.

    >>> read_filters(["artist=Monet", "artist=Goya", "year>=1900", "year!=1912"])
    {'artist': {'any': ['Monet', 'Goya']}, 'year': {'gte': '1900', 'not': ['1912']}}

    Raises:
        SimileError: a text that is neither a comparison nor a JSON object, or one bound of a field twice.
    """
    filters: dict[str, dict[str, Any]] = {}
    for text in texts:
        for field, operator, value in _comparisons(text):
            wanted = filters.setdefault(field, {})
            if operator in ("any", "not"):
                wanted.setdefault(operator, []).append(value)
            elif operator in wanted:
                raise SimileError(f"--filter gives '{field}' two bounds of one kind; keep one of them.")
            else:
                wanted[operator] = value
    return filters


def _comparisons(text: str) -> list[tuple[str, str, Any]]:
    """Field, operator and value of each comparison in a text."""
    if text.startswith("{"):
        try:
            given = parse_json(text)
        except ValueError as error:
            raise SimileError(f"--filter '{text}' is not valid JSON ({error}).") from None
        return [(field, "any", wanted) for field, each in given.items() for wanted in _each(each)]
    found = re.match(r"(.+?)(!=|>=|<=|=|>|<)(.+)", text, re.DOTALL)
    if not found:
        raise SimileError(
            f"--filter '{text}' must be FIELD=VALUE (also with !=, >=, >, <= or <), or a JSON object "
            'such as {"year": null}.'
        )
    return [(found[1], _OPERATORS[found[2]], found[3])]


def _each(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]
