"""What a point is called and what it says of its row, apart from the picture."""

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any

from pipeline.errors import SimileError

__all__ = ["MOST_TEXT", "MOST_VALUES", "RESERVED", "Row", "bounded", "checked_id", "point_id"]

# A payload is copied into every hit, table and page: one label of 300 MB would be paid for many times.
MOST_TEXT = 10_000  # characters of a text
MOST_VALUES = 1_000  # entries of a list or of an object
_MARK_LENGTH = 16  # hexadecimal digits


@dataclass(frozen=True)
class Row:
    """What a point says of its row, apart from the picture.

    Attributes:
        payload: JSON of the source's columns.
        places: where the picture stands in the source, as `file:row`, repeats included.
        credit: who is to be credited, if the configuration or the source says so.
        given: hash of the vectors that the source has of it; 0: none.
    """

    payload: str
    places: tuple[str, ...]
    credit: str | None
    given: int = 0

    @property
    def mark(self) -> str:
        """Changes when anything here does; stored with the point, so that a later run sees what changed."""
        facts: list[object] = [self.payload, self.places, self.credit]
        if self.given:
            facts.append({"given": self.given})
        text = json.dumps(facts, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:_MARK_LENGTH]


# Point ids are UUIDv5 in this namespace; changing it would orphan every point that exists.
_NAMESPACE = uuid.UUID("5f0c5d0e-6a53-5d3c-9b8e-3f1a2c7d4e6b")


def point_id(collection: str, content: str) -> str:
    """Deterministic id of an image in a collection.

    The collection's name, not the source's address, is hashed with the content, so that a mirror
    and the Hub dataset it mirrors give the same points.

    Args:
        collection: its alias.
        content: sha256 of the image's compressed bytes, hexadecimal.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{collection}/{content}"))


def checked_id(given: object) -> str:
    """The id of a point as it is stored: lower case, with dashes.

    Raises:
        SimileError: this is no such id.

    >>> checked_id("5F0C5D0E6A535D3C9B8E3F1A2C7D4E6B")
    '5f0c5d0e-6a53-5d3c-9b8e-3f1a2c7d4e6b'
    """
    try:
        return str(uuid.UUID(given if isinstance(given, str) else ""))
    except ValueError:
        raise SimileError(f"{given!r} is no id of a point; they look like {uuid.UUID(int=0)}.") from None


def bounded(value: Any) -> Any:
    """A value of a payload, with texts cut to `MOST_TEXT` characters, lists and objects to `MOST_VALUES`.

    A text that was cut ends with an ellipsis.

    >>> bounded({"title": "short", "tags": list(range(3_000))})["tags"][-1]
    999
    """
    if isinstance(value, str):
        return value if len(value) <= MOST_TEXT else value[: MOST_TEXT - 1] + "…"
    if isinstance(value, list):
        return [bounded(one) for one in value[:MOST_VALUES]]
    if isinstance(value, dict):
        return {bounded(key): bounded(one) for key, one in list(value.items())[:MOST_VALUES]}
    return value


RESERVED = "_simile"  # payload key of what Simile adds: places, width, height, thumbnail, credit
