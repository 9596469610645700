"""What is searched from: a picture or a part of it, a stored picture, or words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipeline.errors import SimileError

__all__ = ["Box", "Example", "Picture", "cropped"]

Picture = Image.Image | bytes | str | Path
Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of width and height, 0 to 1

_SMALLEST = 8  # pixels; less than this is a slip of the hand, not a part of a picture


@dataclass(frozen=True)
class Example:
    """One thing to be like, or unlike. Exactly one of the first three is set.

    Attributes:
        picture: PIL image, encoded bytes, or a path.
        id: of a stored picture, which is then left out of its own results.
        text: words, for encoders with a text tower.
        box: only this part of `picture`.
        part_of: id of the stored picture that `picture` is a part of; it is left out of the results, too.
    """

    picture: Picture | None = None
    id: str | None = None
    text: str | None = None
    box: Box | None = None
    part_of: str | None = None

    def __post_init__(self) -> None:
        given = [self.picture is not None, bool(self.id), bool(self.text and self.text.strip())]
        if sum(given) != 1:
            raise SimileError("An example is a picture, the id of a stored one, or words; give one of them.")
        if self.box is not None:
            if self.picture is None:
                raise SimileError("Only a part of a picture can be cut out; send the picture with its box.")
            _check(self.box)


def _check(box: Sequence[float]) -> None:
    if len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
        raise SimileError(
            f"The box {tuple(box)} is not one; expected left < right and top < bottom, each a share of the "
            "side from 0 to 1."
        )


def cropped(image: Image.Image, box: Box | None) -> Image.Image:
    """The part of the image inside the box, in whole pixels.

    >>> cropped(Image.new("RGB", (100, 50)), (0.1, 0.0, 0.5, 1.0)).size
    (40, 50)
    """
    if box is None:
        return image
    width, height = image.size
    part = (round(box[0] * width), round(box[1] * height), round(box[2] * width), round(box[3] * height))
    if part[2] - part[0] < _SMALLEST or part[3] - part[1] < _SMALLEST:
        raise SimileError(
            f"The box covers {part[2] - part[0]} × {part[3] - part[1]} pixels; draw one of {_SMALLEST} × "
            f"{_SMALLEST} or more."
        )
    return image.crop(part)
