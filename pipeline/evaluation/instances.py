"""Instance retrieval: is the same picture found again after it was cropped, scaled, recoloured or turned?"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from pipeline.encoders import Encoder
from pipeline.evaluation.metrics import TieGroups, average_precision, precision_at
from pipeline.evaluation.rankings import cosine_rankings
from pipeline.evaluation.scores import summary
from pipeline.images import as_rgb
from pipeline.projection import Projection

__all__ = ["ALTERATIONS", "InstanceRow", "measure_instances"]

Alteration = Callable[[Image.Image, np.random.Generator], Image.Image]
_AREA, _QUALITY, _DEGREES = 0.5, 20, 15.0
_BRIGHTER, _MORE_COLOUR, _HUE = 1.25, 1.5, 16  # hue: steps of 256 round the circle, 16 are 22 degrees
_SMALL_AREA, _SMALL_QUALITY, _PALER, _DARKER = 0.25, 30, 0.5, 0.75  # of a part that was taken over elsewhere
_ASIDE = 0.25  # share of each side by which a corner is moved at most, in a view from another place
_LIGHTS = (0.7, 1.3)
_INSIDE = 0.8  # share of each side of a turned picture that is kept, so that no corner shows


def _cropped(image: Image.Image, rng: np.random.Generator, area: float = _AREA) -> Image.Image:
    width, height = (max(1, round(side * area**0.5)) for side in image.size)
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def _half(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.resize([max(1, side // 2) for side in image.size], Image.Resampling.LANCZOS)


def _poor_jpeg(image: Image.Image, rng: np.random.Generator, quality: int = _QUALITY) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return as_rgb(file.getvalue())


def _recoloured(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    hue, saturation, value = ImageEnhance.Color(image).enhance(_MORE_COLOUR).convert("HSV").split()
    turned = hue.point(lambda step: (step + _HUE) % 256)
    shifted = Image.merge("HSV", (turned, saturation, value)).convert("RGB")
    return ImageEnhance.Brightness(shifted).enhance(_BRIGHTER)


def _grey(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.convert("L").convert("RGB")


def _mirrored(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _turned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    whole = image.rotate(_DEGREES * rng.choice([-1, 1]), Image.Resampling.BICUBIC)
    width, height = (max(1, round(side * _INSIDE)) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return whole.crop((left, top, left + width, top + height))


def _taken_over(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    part = _mirrored(_cropped(image, rng, _SMALL_AREA), rng)
    pale = ImageEnhance.Brightness(ImageEnhance.Color(part).enhance(_PALER)).enhance(_DARKER)
    return _poor_jpeg(pale, rng, _SMALL_QUALITY)


def _from_aside(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    x, y = (rng.uniform(0, _ASIDE * side, 4) for side in image.size)
    width, height = image.size
    corners = (x[0], y[0], x[1], height - y[1], width - x[2], height - y[2], width - x[3], y[3])
    seen = image.transform(image.size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    return ImageEnhance.Brightness(seen).enhance(float(rng.choice(_LIGHTS)))


ALTERATIONS: dict[str, Alteration] = {
    "cropped to half of its area": _cropped,
    "scaled to a half": _half,
    f"saved as JPEG of quality {_QUALITY}": _poor_jpeg,
    "recoloured": _recoloured,
    "grey": _grey,
    "mirrored": _mirrored,
    f"turned by {_DEGREES:.0f} degrees": _turned,
    "seen from aside, in another light": _from_aside,
    "a quarter of it, mirrored, pale, dark and a poor JPEG": _taken_over,
}


@dataclass(frozen=True)
class InstanceRow:
    """How well altered pictures find their originals.

    Attributes:
        alteration: what was done to the picture.
        queries: how many.
        first: share of queries whose first hit is the original: mean, low, high.
        mean_average_precision: mean of 1 / rank of the original, with its interval.
    """

    alteration: str
    queries: int
    first: dict[str, float]
    mean_average_precision: dict[str, float]


def measure_instances(
    encoder: Encoder,
    projection: Projection,
    pictures: Sequence[bytes],
    places: np.ndarray,
    database: np.ndarray,
    seed: int = 0,
) -> Iterator[InstanceRow]:
    """One row for each of `ALTERATIONS`.

    Args:
        encoder, projection: what `database` was made with.
        pictures: Q encoded originals.
        places: (Q,) int, where each of them is in the database.
        database: (N, P) float prepared vectors of different pictures, the originals among them.
        seed: of the place of the crop, and of the side to which a picture is turned.
    """
    rng = np.random.default_rng(seed)
    originals = [as_rgb(data) for data in pictures]
    everything = np.arange(len(database))
    for name, alter in ALTERATIONS.items():
        altered = [alter(image, rng) for image in originals]
        raw = encoder.encode_raw(altered) if projection.hash_bits else encoder.encode(altered)
        found = list(cosine_rankings(projection.apply(raw), database, places, everything))
        yield InstanceRow(
            name,
            len(pictures),
            summary(_joined(found, lambda groups: precision_at(groups, 1))),
            summary(_joined(found, average_precision)),
        )


def _joined(blocks: Sequence[TieGroups], measure: Callable[[TieGroups], np.ndarray]) -> np.ndarray:
    return np.concatenate([measure(groups) for groups in blocks])
