"""A list of pictures, where one picture is easily handed over in its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.errors import ImageError
from pipeline.images.given import Picture

__all__ = ["pictures_of"]


def pictures_of(given: Sequence[Picture], called: str) -> Sequence[Picture]:
    """`given`, if it is a list of pictures: a text would be taken for as many pictures as it has characters.

    An array or tensor of four dimensions is as many pictures as its first one says.

    Args:
        called: the function that wants the list, for the message.

    Raises:
        ImageError: it is a single picture, or nothing with pictures in it.

    >>> pictures_of(["a.jpg"], "encode")
    ['a.jpg']
    """
    if isinstance(given, str | Path):
        raise ImageError(f"{called} takes a list of pictures and '{given}' is one; write [{str(given)!r}]")
    dimensions = getattr(given, "ndim", None)
    if isinstance(given, bytes | Image.Image) or (dimensions is not None and dimensions != 4):
        raise ImageError(f"{called} takes a list of pictures and this is one; write [picture]")
    sized: Any = given
    if not hasattr(sized, "__len__") or not hasattr(sized, "__getitem__"):
        raise ImageError(
            f"{called} takes a list of pictures and got a {type(given).__name__}; write [picture]"
        )
    return given
