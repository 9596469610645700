"""What shape a picture has: as its source says, for it may have been squeezed before it was indexed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.points import RESERVED

__all__ = ["Proportions", "proportions_of"]

# Names of the columns in which sources keep the size of the original, in pixels.
_NAMES = (("original_width", "original_height"), ("image_width", "image_height"), ("width", "height"))
_SAME = 0.02  # relative difference of two shapes that rounding explains


@dataclass(frozen=True)
class Proportions:
    """Width and height in pixels; 1 × 1 where nothing is known.

    Attributes:
        original: the source names this size; else it is that of the file that was indexed.
        squeezed: the indexed file has another shape, and is to be stretched to this one.
    """

    width: int
    height: int
    original: bool = False
    squeezed: bool = False

    @property
    def shape(self) -> float:
        """Width / height."""
        return self.width / self.height


def proportions_of(payload: Mapping[str, Any]) -> Proportions:
    """The proportions of the picture with this payload.

    >>> proportions_of({"width": 400, "height": 300, "_simile": {"width": 224, "height": 224}})
    Proportions(width=400, height=300, original=True, squeezed=True)
    """
    own = payload.get(RESERVED) or {}
    indexed = (own.get("width") or 1, own.get("height") or 1)
    for names in _NAMES:
        if all(_is_length(payload.get(name)) for name in names):
            width, height = (int(payload[name]) for name in names)
            apart = abs(width / height * indexed[1] / indexed[0] - 1)
            return Proportions(width, height, True, 1 not in indexed and apart > _SAME)
    return Proportions(*indexed)


def _is_length(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value < 1e7
