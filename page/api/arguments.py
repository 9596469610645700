"""Values that programs and models send -> what a search takes.

They are strings, numbers and lists of strings only. A nested object could describe a file, and what calls for
a model over MCP would open a file of that description on this machine.
"""

import base64
import binascii
import json
import uuid
from typing import Any

from page.results import check
from page.uploads import MAX_BYTES
from pipeline.errors import ImageError, SimileError
from pipeline.search import Box, Example, Hit, Settings

__all__ = ["box_of", "example", "limits", "parsed_filters", "picture_bytes", "plain", "settings_of", "stored"]


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


def stored(point_id: str) -> Example:
    """A stored picture by its id."""
    try:
        return Example(id=str(uuid.UUID(point_id)))
    except (ValueError, AttributeError, TypeError):
        raise SimileError(f"{str(point_id)[:60]!r} is no id; take the `id` of an earlier hit") from None


def example(text: str) -> Example:
    """A stored picture by its id, or a picture in base64."""
    try:
        return stored(text)
    except SimileError:
        return Example(picture=picture_bytes(str(text)))


def box_of(text: str) -> Box | None:
    """From a JSON list; None of an empty text."""
    try:
        sides = json.loads(text) if text else None
        if sides is None:
            return None
        left, top, right, bottom = (float(side) for side in sides)
    except (ValueError, TypeError):
        raise SimileError(f"{text[:60]!r} is no box; write it as [left, top, right, bottom]") from None
    return left, top, right, bottom


def limits(text: str) -> dict[str, int] | None:
    """Field -> how many hits may share a value, from a JSON object."""
    parsed = parsed_filters(text)
    if parsed and not all(isinstance(most, int) and not isinstance(most, bool) for most in parsed.values()):
        raise SimileError('at_most must name whole numbers, such as {"artist": 2}')
    return parsed


def settings_of(
    metric: str,
    k: int,
    filters: str,
    exact: bool = False,
    encoder: str = "",
    offset: int = 0,
    **others: Any,
) -> Settings:
    """The search that was asked for; refuses what a program may send and a visitor cannot."""
    check(metric, k, offset)
    wanted = {"filters": parsed_filters(filters), "exact": bool(exact), "encoder": encoder or None, **others}
    return Settings(metric, int(k), int(offset), **wanted)  # type: ignore[arg-type]


def plain(hit: Hit) -> dict[str, Any]:
    """A hit as JSON."""
    return {
        "id": hit.id,
        "score": hit.score,
        "distance": hit.distance,
        "unusual": hit.unusual,
        "weak": hit.weak,
        "payload": hit.payload,
        "thumbnail": hit.data_url,
    }


def parsed_filters(filters: str | None) -> dict[str, Any] | None:
    """Filters from their JSON."""
    try:
        parsed = json.loads(filters or "{}")
    except ValueError as error:
        raise SimileError(f'filters are not JSON ({error}); write them as {{"label": ["cat"]}}') from None
    if not isinstance(parsed, dict):
        raise SimileError('filters must be a JSON object of field and values, such as {"label": ["cat"]}')
    return parsed or None
