"""Do two thumbnails show the same picture? Decided by their pixels, after they were laid over each other.

Embeddings say which pictures may be copies of each other; many different pictures are as near. Pixels decide:
the second picture is moved, scaled and turned until it fits the first one best (Baker & Matthews,
"Lucas-Kanade 20 Years On", IJCV 2004: inverse compositional, affine), and then the two are correlated.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image
from scipy import ndimage

__all__ = ["Match", "Pixels", "compare"]

SIDE = 64  # pixels of what is compared; both pictures are squeezed to a square
_COARSE = 16  # pixels: a first look, which leaves out most pairs
_COARSE_LEAST = 0.45  # correlation of the first look; copies cropped or turned a little have more
_STEPS = ((2.0, 12), (0.7, 12))  # blur in pixels, and steps of the search, from coarse to fine
_LEAST_OVERLAP = 0.7  # of the first picture's pixels that the second one covers
_STILL = 1e-3  # a step that moves no corner by more than this share of the side ends the search


@dataclass(frozen=True)
class Match:
    """How well one picture fits over another.

    Attributes:
        correlation: of their RGB values where they overlap, −1 to 1; 1: equal but for contrast.
        moved: of the corners, how far the worst one is from where it was, as a share of the side.
        mirrored: whether the second picture was mirrored first.
    """

    correlation: float
    moved: float
    mirrored: bool = False


class Pixels:
    """A picture as it is compared."""

    def __init__(self, image: Image.Image) -> None:
        """Any size and mode."""
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)
        self._bytes = np.asarray(small)

    @property
    def colours(self) -> np.ndarray:
        """(SIDE, SIDE, 3) float32."""
        return self._bytes.astype(np.float32)

    @property
    def grey(self) -> np.ndarray:
        """(SIDE, SIDE) float32."""
        return self.colours @ np.array([0.299, 0.587, 0.114], np.float32)

    @cached_property
    def coarse(self) -> np.ndarray:
        """(_COARSE²,) float32 of mean 0 and length 1; all 0 for a picture of one colour."""
        step = SIDE // _COARSE
        means = self.grey.reshape(_COARSE, step, _COARSE, step).mean(axis=(1, 3))
        return _standard(means.ravel())

    def mirrored(self) -> "Pixels":
        """Left and right exchanged."""
        other = Pixels.__new__(Pixels)
        other._bytes = self._bytes[:, ::-1]
        return other


def compare(first: Pixels, second: Pixels, *, mirrored: bool = False) -> Match:
    """The best fit of two pictures.

    Args:
        mirrored: whether the second one may also be mirrored; it is where that fits better.
    """
    match = _fit(first, second)
    if not mirrored:
        return match
    other = _fit(first, second.mirrored())
    return Match(other.correlation, other.moved, True) if other.correlation > match.correlation else match


def _fit(first: Pixels, second: Pixels) -> Match:
    if float(first.coarse @ second.coarse) < _COARSE_LEAST:
        return Match(_correlation(first.colours, second.colours), 0.0)
    still = _correlation(first.colours, second.colours)
    warp = np.eye(3)
    for blur, steps in _STEPS:
        template, image = (ndimage.gaussian_filter(each.grey, blur) for each in (first, second))
        warp = _aligned(template, image, warp, steps)
    colours = np.stack([_warped(second.colours[..., at], warp) for at in range(3)], axis=-1)
    inside = ~np.isnan(colours[..., 0])
    if inside.mean() < _LEAST_OVERLAP:
        return Match(still, 0.0)
    found = _correlation(first.colours[inside], colours[inside])
    return Match(found, _moved(warp)) if found > still else Match(still, 0.0)


def _standard(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean()
    length = np.linalg.norm(centred)
    return np.asarray(centred / length if length > 1e-3 else np.zeros_like(centred))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """(…, 3) and (…, 3): of all values together, each channel centred; so other colours are not the same."""
    centred = (each.reshape(-1, 3) - each.reshape(-1, 3).mean(axis=0) for each in (first, second))
    one, other = (_standard(each.ravel()) for each in centred)
    return float(one @ other)


_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / (SIDE - 1) - 0.5  # −0.5 to 0.5


def _warped(image: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE): at each place the image's value at `warp` of that place; NaN outside."""
    # A place is (row, column, 1), from −0.5 to 0.5; affine_transform wants pixels.
    matrix, offset = warp[:2, :2], warp[:2, 2]
    half = (SIDE - 1) / 2
    shift = half + offset * (SIDE - 1) - matrix @ np.array([half, half])
    return np.asarray(ndimage.affine_transform(image, matrix, shift, order=1, cval=np.nan))


def _aligned(template: np.ndarray, image: np.ndarray, warp: np.ndarray, steps: int) -> np.ndarray:
    """The affine warp, (3, 3), by which the image fits the template best, near the one that is given."""
    down, right = np.gradient(template, 1 / (SIDE - 1))
    # Columns: how the template changes with each of the six parameters.
    steepest = np.stack(
        [down * _ROWS, down * _COLUMNS, down, right * _ROWS, right * _COLUMNS, right], axis=-1
    )
    for _ in range(steps):
        moved = _warped(image, warp)
        inside = ~np.isnan(moved)
        if inside.mean() < _LEAST_OVERLAP:
            break
        # Contrast and brightness of the image as they fit the template.
        seen, wanted = moved[inside], template[inside]
        spread = seen.std()
        if spread < 1e-3:
            break
        error = (seen - seen.mean()) * (wanted.std() / spread) + wanted.mean() - wanted
        rows = steepest[inside]
        change, *_ = np.linalg.lstsq(rows.T @ rows, rows.T @ error, rcond=None)
        step = np.eye(3)
        step[:2] += change.reshape(2, 3)
        if abs(np.linalg.det(step)) < 0.1:
            break
        warp = warp @ np.linalg.inv(step)
        if _moved(step) < _STILL:
            break
    return warp


_CORNERS = np.array([[-0.5, -0.5, 0.5, 0.5], [-0.5, 0.5, -0.5, 0.5], [1, 1, 1, 1]])


def _moved(warp: np.ndarray) -> float:
    return float(np.linalg.norm((warp @ _CORNERS - _CORNERS)[:2], axis=0).max())
