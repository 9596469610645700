"""Arguments of the endpoints: what they mean, and how they become a search.

Models are shown strings, numbers and lists of strings only. A nested object could describe a file, and what
calls for a model over MCP would open a file of that description on this machine. A program may send filters,
limits and a box as what their JSON says, too: they are read as data.
"""

import base64
import binascii
import inspect
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from page.components.search_controls import check_bounds
from page.uploads import MAX_BYTES
from pipeline.errors import ImageError, SimileError
from pipeline.parsing import parse_json
from pipeline.printable import printable
from pipeline.search import Box, Example, Settings
from pipeline.search.query import is_vector_text, words_or_vector

__all__ = [
    "ARGUMENTS",
    "described",
    "parsed_box",
    "parsed_example",
    "parsed_filters",
    "parsed_id",
    "parsed_limits",
    "parsed_vector",
    "picture_bytes",
    "settings_of",
]

# What an argument means in every endpoint that does not say otherwise.
ARGUMENTS = {
    "collection": "name of a collection, from the tool `collections`.",
    "metric": "cosine (finer) or hamming (faster).",
    "k": "how many pictures, 1 to 100.",
    "filters": "JSON object that hits must satisfy: field -> value, list of values (null: no value) or "
    'negation, such as {"artist": ["Claude Monet"], "style": {"not": "Cubism"}}, and of numbers and dates a '
    'range, such as {"gte": 1900, "lt": 1950}. Values are those that are stored, or as the page shows them.',
    "exact": "compare with every picture instead of the index.",
    "encoder": "one of the collection's encoders; empty for its default.",
    "thumbnails": "also return each hit's picture as a data URL, about 15 kB each; without, `picture` is its "
    "address below that of the page.",
    "matches_only": "only pictures as near as the collection's calibrated score of a match.",
    "fold": "one hit for pictures that are nearly the same.",
    "diversity": "0 (nearest) to 1 (as unlike each other as can be).",
    "colours": 'up to five colours that hits should also have, such as ["#aa3311", "#ffeecc"].',
    "offset": "how many of the nearest to leave out, 0 to 1000: the hits so far, to go on after them.",
    "query": "the `id` of an earlier hit in the same collection, a picture in base64 or as a data URL, or a "
    "vector as a JSON list of numbers.",
}


def described(function: Callable[..., Any]) -> str:
    """The docstring of an endpoint, with `ARGUMENTS` for the arguments that it does not describe itself."""
    text = inspect.getdoc(function) or ""
    above, returns, below = text.partition("\n\nReturns:")
    own = set(re.findall(r"^    (\w+): ", above.partition("\nArgs:")[2], re.MULTILINE))
    missing = [name for name in inspect.signature(function).parameters if name in ARGUMENTS.keys() - own]
    if not missing:
        return text
    start = "" if "\nArgs:" in above else "\n\nArgs:"
    lines = [f"    {name}: {ARGUMENTS[name]}" for name in missing]
    return "\n".join([above.rstrip() + start, *lines]) + returns + below


def picture_bytes(text: str) -> bytes:
    """The bytes of a picture in base64 or a data URL.

    Raises:
        ImageError: it is something else, such as an address or a path, or too large.
    """
    head, comma, body = text.partition(",") if text[:5].lower() == "data:" else ("", "", text)
    if comma and not head.lower().endswith(";base64"):
        raise ImageError("the data URL is not in base64; write data:image/png;base64,…")
    if len(body) > MAX_BYTES * 4 / 3 + 4:
        raise ImageError(f"the picture is larger than {MAX_BYTES // 1_000_000} MB; send a smaller one")
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ImageError(
            "the picture is not base64; send its bytes in base64, or the id of a hit to search_by_id "
            "(addresses and paths are not read)"
        ) from None


def parsed_id(point_id: str) -> Example:
    """A stored picture by its id."""
    try:
        return Example(id=str(uuid.UUID(point_id)))
    except (ValueError, AttributeError, TypeError):
        raise SimileError(f"{str(point_id)[:60]!r} is no id; take the `id` of an earlier hit") from None


def parsed_example(text: str) -> Example:
    """A stored picture by its id, a vector as a JSON list, or a picture in base64."""
    if is_vector_text(str(text)):
        return words_or_vector(str(text))
    try:
        return parsed_id(text)
    except SimileError:
        return Example(picture=picture_bytes(str(text)))


def parsed_vector(given: str | Sequence[Any]) -> Example:
    """A vector from a list of numbers or its JSON.

    Raises:
        SimileError: it is something else.
    """
    if not isinstance(given, str):
        return Example(vector=[float(number) for number in given])
    if not is_vector_text(given):
        raise SimileError(f"{printable(repr(given), 60)} is no vector; write it as [0.12, -0.5, 0.33]")
    return words_or_vector(given)


def parsed_box(given: str | Sequence[Any]) -> Box | None:
    """The box in a list or its JSON; None of an empty text."""
    try:
        sides = (parse_json(given) if given else None) if isinstance(given, str) else given
        if sides is None:
            return None
        left, top, right, bottom = (float(side) for side in sides)
    except (ValueError, TypeError, OverflowError):
        raise SimileError(
            f"{printable(repr(given), 60)} is no box; write it as [left, top, right, bottom]"
        ) from None
    return left, top, right, bottom


def parsed_limits(given: str | Mapping[str, Any]) -> dict[str, int] | None:
    """Field -> how many hits may share a value of it, from a JSON object or its text."""
    parsed = parsed_filters(given)
    if parsed and not all(isinstance(most, int) and not isinstance(most, bool) for most in parsed.values()):
        raise SimileError('at_most must name whole numbers, such as {"artist": 2}')
    return parsed


def settings_of(
    metric: str,
    k: int,
    filters: str | Mapping[str, Any],
    exact: bool = False,
    encoder: str = "",
    offset: int = 0,
    **others: Any,
) -> Settings:
    """The search that was asked for.

    Raises:
        SimileError: filters that are no JSON, or a value out of bounds.
    """
    check_bounds(metric, k, offset)
    wanted = {"filters": parsed_filters(filters), "exact": bool(exact), "encoder": encoder or None, **others}
    return Settings(metric, int(k), int(offset), **wanted)  # type: ignore[arg-type]


def parsed_filters(filters: str | Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Field -> what is wanted, from a JSON object or its text; None of an empty one."""
    if isinstance(filters, Mapping):
        return dict(filters) or None
    try:
        parsed = parse_json(filters or "{}")
    except (ValueError, TypeError) as error:
        raise SimileError(f'filters are not JSON ({error}); write them as {{"label": ["cat"]}}') from None
    if not isinstance(parsed, dict):
        raise SimileError('filters must be a JSON object of field and values, such as {"label": ["cat"]}')
    for field, wanted in parsed.items():
        if wanted is None or (isinstance(wanted, list) and None in wanted):
            raise SimileError(f"filter {printable(field, 60)!r} has no value (null); leave the field out")
    return parsed or None
