"""Do two thumbnails show the same picture? Decided by their pixels, after they were laid over each other.

Embeddings say which pictures may be copies of each other; many different pictures are as near. Pixels decide:
the second picture is moved, scaled and turned until it fits the first one best (Baker & Matthews,
"Lucas-Kanade 20 Years On", IJCV 2004: inverse compositional, affine), and then the two are correlated.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from PIL import Image
from scipy import ndimage

__all__ = ["COARSE", "COARSE_LEAST", "Match", "Pixels", "compare"]

SIDE = 64  # pixels of what is compared; both pictures are squeezed to a square
COARSE, COARSE_LEAST = 16, 0.6  # pixels of a first look, and correlation; copies have 0.7 and more there
_ALIKE = 0.95  # correlation of the first look from which the two are compared as they lie, too
_MEDIUM, _MEDIUM_LEAST = 32, 0.7  # the same once both were aligned; copies have 0.85 and more
_MEDIUM_STEPS, _FINE_STEPS = 10, 6  # of the search; it ends sooner where nothing moves any more
_BLUR = 0.7  # pixels: a picture is smooth enough for its slope to say where it has to go
_LEAST_OVERLAP = 0.7  # of the first picture's pixels that the second one covers
_STILL = 1e-3  # a step that moves no corner by more than this share of the side ends the search,
_AWAY = 0.25  # and so do corners that are this far from where they were: that is no copy
_WORTH_DETAIL = 0.7  # correlation below which details are not looked at
_DETAIL = 1.5  # pixels of the coarser picture: what is finer than this is detail


@dataclass(frozen=True)
class Match:
    """How well one picture fits over another.

    Attributes:
        correlation: of their RGB values where they overlap, −1 to 1; 1: equal but for contrast. 0 where they
            differ at a first look.
        detail: the same of their details, grey and with the contrast made even; high only where lines are in
            the same places. Dark pictures on white pages correlate well, whatever they show. 0 where the
            correlation is low.
        moved: of the corners, how far the worst one is from where it was, as a share of the side.
        mirrored: whether the second picture was mirrored first.
    """

    correlation: float
    detail: float
    moved: float
    mirrored: bool = False


_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue (ITU-R BT.601)


class Pixels:
    """A picture as it is compared.

    Attributes:
        sharp: pixels of its short side, at most `SIDE`: what is finer is not in the picture.
    """

    def __init__(self, image: Image.Image) -> None:
        """Any size and mode."""
        self.sharp = min(SIDE, *image.size)
        way = Image.Resampling.BOX if self.sharp == SIDE else Image.Resampling.BICUBIC
        self._bytes = np.asarray(image.convert("RGB").resize((SIDE, SIDE), way, reducing_gap=2.0))

    @property
    def colours(self) -> np.ndarray:
        """(SIDE, SIDE, 3) float32."""
        return self._bytes.astype(np.float32)

    @property
    def means(self) -> np.ndarray:
        """(COARSE · COARSE,) uint8: grey means of a coarse grid."""
        return np.asarray(np.rint(_means(self._grey, COARSE)), np.uint8).ravel()

    @cached_property
    def coarse(self) -> np.ndarray:
        """The same as float32 of mean 0 and length 1; all 0 for a picture of one colour."""
        return _standard(_means(self._grey, COARSE).ravel())

    @cached_property
    def medium(self) -> "_Template":
        """Grey, in the size in which pictures are aligned at first."""
        return _Template(_means(self._grey, _MEDIUM))

    @property
    def fine(self) -> "_Template":
        """Grey, in full size."""
        return _Template(self._grey)

    @property
    def _grey(self) -> np.ndarray:
        return self.colours @ _GREY

    def mirrored(self) -> "Pixels":
        """Left and right exchanged."""
        other = Pixels.__new__(Pixels)
        other._bytes, other.sharp = self._bytes[:, ::-1], self.sharp
        return other


class _Template:
    """A grey picture, smoothed, with what the search for the best fit needs of it."""

    def __init__(self, grey: np.ndarray) -> None:
        self.grey = ndimage.gaussian_filter(grey, _BLUR)

    @cached_property
    def solver(self) -> np.ndarray:
        """(6, side²): from how each pixel differs to the change of the six parameters of an affine warp."""
        side = len(self.grey)
        down, right = np.gradient(self.grey, 1 / (side - 1))
        rows, columns = np.mgrid[0:side, 0:side].astype(np.float32) / (side - 1) - 0.5
        each = [down * rows, down * columns, down, right * rows, right * columns, right]
        slopes = np.stack(each).reshape(6, -1).astype(np.float64)
        # A picture of stripes has no slope along them, and must not be moved there.
        ridge = 1e-6 * (np.einsum("ij,ij->", slopes, slopes) + 1) * np.eye(6)
        return np.asarray(np.linalg.solve(slopes @ slopes.T + ridge, slopes))


def compare(first: Pixels, second: Pixels, *, mirrored: bool = False) -> Match:
    """The best fit of two pictures.

    Args:
        mirrored: whether the second one may also be mirrored; it is where that fits better.
    """
    match = _fit(first, second)
    if not mirrored:
        return match
    other = _fit(first, second.mirrored())
    return replace(other, mirrored=True) if other.correlation > match.correlation else match


def _fit(first: Pixels, second: Pixels) -> Match:
    look = float(first.coarse @ second.coarse)
    if look < COARSE_LEAST:
        return Match(0.0, 0.0, 0.0)
    still = _match(first, second, np.eye(3)) if look >= _ALIKE else Match(0.0, 0.0, 0.0)
    warp = _aligned(first.medium, second.medium, np.eye(3), _MEDIUM_STEPS)
    seen = _warped(second.medium.grey, warp)
    inside = ~np.isnan(seen)
    if inside.mean() < _LEAST_OVERLAP:
        return still
    if float(_standard(seen[inside]) @ _standard(first.medium.grey[inside])) < _MEDIUM_LEAST:
        return still
    warp = _aligned(first.fine, second.fine, warp, _FINE_STEPS)
    found = _match(first, second, warp)
    return found if found.correlation > still.correlation else still


def _match(first: Pixels, second: Pixels, warp: np.ndarray) -> Match:
    """How well the second picture fits where a warp has put it."""
    moved = _moved(warp)
    colours = second.colours
    if moved:
        colours = np.stack([_warped(colours[..., at], warp) for at in range(3)], axis=-1)
    inside = ~np.isnan(colours[..., 0])
    if inside.mean() < _LEAST_OVERLAP:
        return Match(0.0, 0.0, moved)
    grey = np.where(inside, colours @ _GREY, first.colours @ _GREY)
    correlation = _correlation(first.colours[inside], colours[inside])
    if correlation < _WORTH_DETAIL:
        return Match(correlation, 0.0, moved)
    blur = _DETAIL * SIDE / min(first.sharp, second.sharp)
    details = [_details(each, blur)[inside] for each in (first.colours @ _GREY, grey)]
    return Match(correlation, float(_standard(details[0]) @ _standard(details[1])), moved)


def _details(grey: np.ndarray, blur: float) -> np.ndarray:
    """What differs from the surroundings, divided by how much is usual there; noise of JPEGs stays small."""
    fine = grey - ndimage.gaussian_filter(grey, blur)
    return np.asarray(fine / (np.sqrt(ndimage.gaussian_filter(fine * fine, 2 * blur)) + 4))


def _means(grey: np.ndarray, side: int) -> np.ndarray:
    step = len(grey) // side
    return np.asarray(grey.reshape(side, step, side, step).mean(axis=(1, 3)))


def _standard(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean()
    length = np.linalg.norm(centred)
    return np.asarray(centred / length if length > 1e-3 else np.zeros_like(centred))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """(…, 3) and (…, 3): of all values together, each channel centred; so other colours are not the same."""
    centred = (each.reshape(-1, 3) - each.reshape(-1, 3).mean(axis=0) for each in (first, second))
    one, other = (_standard(each.ravel()) for each in centred)
    return float(one @ other)


def _warped(image: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """(side, side): at each place the image's value at `warp` of that place; NaN outside."""
    # A place is (row, column, 1), from −0.5 to 0.5; affine_transform wants pixels.
    side = len(image)
    matrix, offset = warp[:2, :2], warp[:2, 2]
    half = (side - 1) / 2
    shift = half + offset * (side - 1) - matrix @ np.array([half, half])
    return np.asarray(ndimage.affine_transform(image, matrix, shift, order=1, cval=np.nan))


def _aligned(first: _Template, second: _Template, warp: np.ndarray, steps: int) -> np.ndarray:
    """The affine warp, (3, 3), by which the second picture fits the first best, near a given one."""
    template = first.grey.ravel()
    for _ in range(steps):
        moved = _warped(second.grey, warp).ravel()
        inside = ~np.isnan(moved)
        if np.count_nonzero(inside) < _LEAST_OVERLAP * len(moved):
            break
        # The second picture's contrast and brightness as the first one has them; outside nothing differs.
        seen, wanted = moved[inside], template[inside]
        seen, wanted = seen - seen.mean(), wanted - wanted.mean()
        spread = float(np.sqrt(seen @ seen))
        if spread < 1e-3:
            break
        error = np.zeros(len(moved))
        error[inside] = seen * (float(np.sqrt(wanted @ wanted)) / spread) - wanted
        change = first.solver @ error
        step = np.eye(3)
        step[:2] += change.reshape(2, 3)
        if abs(np.linalg.det(step)) < 0.1:
            break
        warp = warp @ np.linalg.inv(step)
        if _moved(step) < _STILL or _moved(warp) > _AWAY:
            break
    return warp


_CORNERS = np.array([[-0.5, -0.5, 0.5, 0.5], [-0.5, 0.5, -0.5, 0.5], [1, 1, 1, 1]])


def _moved(warp: np.ndarray) -> float:
    return float(np.linalg.norm((warp @ _CORNERS - _CORNERS)[:2], axis=0).max())
