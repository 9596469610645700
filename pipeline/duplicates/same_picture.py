"""Do two thumbnails show the same picture? Decided by their pixels, after they were laid over each other.

Embeddings say which pictures may be copies of each other; many different pictures are as near. Pixels decide,
in two looks: small grey pictures are aligned, many pairs at once (`alignment`); of those that fit, the
thumbnails are aligned and correlated.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from PIL import Image
from scipy import ndimage

from pipeline.duplicates.alignment import LEAST_OVERLAP, align, moved, smooth, standard, warped

__all__ = [
    "COARSE",
    "COARSE_LEAST",
    "MEDIUM",
    "Look",
    "Match",
    "Pixels",
    "best_of",
    "coarse_rows",
    "compare",
    "first_looks",
    "second_looks",
]

SIDE = 64  # pixels of what is compared; both pictures are squeezed to a square
COARSE, COARSE_LEAST = 16, 0.6  # pixels of the coarsest look, and correlation; copies have 0.7 and more there
_ALIKE = 0.95  # correlation of the coarsest look from which the two are compared as they lie, too
MEDIUM, _MEDIUM_LEAST = 32, 0.78  # the same once both were aligned; copies have 0.85 and more
_MEDIUM_STEPS, _FINE_STEPS = 10, 6  # of the search; it ends sooner where nothing moves any more
_AT_ONCE = 4  # pairs of thumbnails that are aligned together: arrays of 64 kB stay in the cache
_WORTH_DETAIL = 0.7  # correlation below which details are not looked at
_DETAIL = 1.5  # pixels of the coarser picture: what is finer than this is detail
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue (ITU-R BT.601)


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


_DIFFERENT = Match(0.0, 0.0, 0.0)


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
    def grey(self) -> np.ndarray:
        """(SIDE, SIDE) float32."""
        return self.colours @ _GREY

    @cached_property
    def medium(self) -> np.ndarray:
        """(MEDIUM, MEDIUM) uint8: grey means, for the first look."""
        step = SIDE // MEDIUM
        means = self.grey.reshape(MEDIUM, step, MEDIUM, step).mean(axis=(1, 3))
        return np.asarray(np.rint(means), np.uint8)

    def mirrored(self) -> "Pixels":
        """Left and right exchanged."""
        other = Pixels.__new__(Pixels)
        other._bytes, other.sharp = self._bytes[:, ::-1], self.sharp
        return other


@dataclass(frozen=True)
class Look:
    """What small grey pictures say of a pair.

    Attributes:
        warp: (3, 3), by which the second one fits the first.
        fits: whether it does.
        alike: whether they are alike as they lie.
        mirrored: whether the second one was mirrored first.
    """

    warp: np.ndarray
    fits: bool
    alike: bool
    mirrored: bool = False

    @property
    def promising(self) -> bool:
        """Whether their thumbnails are worth a second look."""
        return self.fits or self.alike


def coarse_rows(medium: np.ndarray) -> np.ndarray:
    """(N, COARSE²) float32 of mean 0 and length 1; all 0 for a picture of one colour.

    Args:
        medium: (N, MEDIUM, MEDIUM) uint8, of `Pixels.medium`.
    """
    step = MEDIUM // COARSE
    # Sums of slices: numpy's mean over such short axes takes ten times as long.
    sums = np.zeros((len(medium), COARSE, COARSE), np.float32)
    for row, column in product(range(step), repeat=2):
        sums += medium[:, row::step, column::step]
    means = sums.reshape(len(medium), -1) / np.float32(step**2)
    means -= means.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray(np.divide(means, lengths, out=np.zeros_like(means), where=lengths > 1))


def first_looks(first: np.ndarray, second: np.ndarray, *, mirrored: bool = False) -> list[list[Look]]:
    """Of each of B pairs of small grey pictures what they say: the second as it is and, if asked, mirrored.

    Args:
        first, second: (B, MEDIUM, MEDIUM) uint8, of `Pixels.medium`.
    """
    ways = [_looks(first, second, False)]
    if mirrored:
        ways.append(_looks(first, second[:, :, ::-1], True))
    return [list(each) for each in zip(*ways, strict=True)]


def _looks(first: np.ndarray, second: np.ndarray, mirrored: bool) -> list[Look]:
    looks = (coarse_rows(first) * coarse_rows(second)).sum(axis=1)
    warps = np.tile(np.eye(3), (len(first), 1, 1))
    fits, seen = np.zeros(len(first), bool), np.flatnonzero(looks >= COARSE_LEAST)
    if len(seen):
        one, other = smooth(first[seen]), smooth(second[seen])
        warps[seen] = align(one, other, warps[seen], _MEDIUM_STEPS)
        laid = warped(other, warps[seen]).reshape(len(seen), -1)
        inside = ~np.isnan(laid)
        told = standard(laid, inside) * standard(one.reshape(len(seen), -1), inside)
        fits[seen] = (told.sum(axis=1) >= _MEDIUM_LEAST) & (inside.mean(axis=1) >= LEAST_OVERLAP)
    alike = looks >= _ALIKE
    return [Look(warp, bool(f), bool(a), mirrored) for warp, f, a in zip(warps, fits, alike, strict=True)]


def second_looks(pairs: Sequence[tuple[Pixels, Pixels, Look]], least: float = _WORTH_DETAIL) -> list[Match]:
    """How well the thumbnails of each pair fit, from where the first look has put them.

    Args:
        least: correlation from which details are looked at.
    """
    laid = [(one, other.mirrored() if look.mirrored else other, look) for one, other, look in pairs]
    found = [_match(one, other, np.eye(3), least) if look.alike else _DIFFERENT for one, other, look in laid]
    fitting = [at for at, (_, _, look) in enumerate(laid) if look.fits]
    for start in range(0, len(fitting), _AT_ONCE):
        some = fitting[start : start + _AT_ONCE]
        one, other = (
            smooth(np.stack([picture.grey for picture in side]))
            for side in zip(*(laid[at][:2] for at in some), strict=True)
        )
        warps = align(one, other, np.stack([laid[at][2].warp for at in some]), _FINE_STEPS)
        for at, warp in zip(some, warps, strict=True):
            match = _match(laid[at][0], laid[at][1], warp, least)
            found[at] = match if match.correlation > found[at].correlation else found[at]
    return [replace(match, mirrored=look.mirrored) for match, (_, _, look) in zip(found, laid, strict=True)]


def best_of(matches: Iterable[Match]) -> Match:
    """The best fit; a mirrored one only where it fits better."""
    return max(matches, key=lambda match: (match.correlation, not match.mirrored), default=_DIFFERENT)


def compare(first: Pixels, second: Pixels, *, mirrored: bool = False) -> Match:
    """The best fit of two pictures.

    Args:
        mirrored: whether the second one may also be mirrored; it is where that fits better.
    """
    (looks,) = first_looks(first.medium[None], second.medium[None], mirrored=mirrored)
    return best_of(second_looks([(first, second, look) for look in looks]))


def _match(first: Pixels, second: Pixels, warp: np.ndarray, least: float) -> Match:
    """How well the second picture fits where a warp has put it."""
    away = float(moved(warp[None])[0])
    colours = second.colours
    if away:
        layers = warped(np.moveaxis(colours, -1, 0), np.tile(warp, (3, 1, 1)))
        colours = np.moveaxis(layers, 0, -1)
    inside = ~np.isnan(colours[..., 0])
    if inside.mean() < LEAST_OVERLAP:
        return Match(0.0, 0.0, away)
    grey = np.where(inside, colours @ _GREY, first.grey)
    correlation = _correlation(first.colours[inside], colours[inside])
    if correlation < least:
        return Match(correlation, 0.0, away)
    blur = _DETAIL * SIDE / min(first.sharp, second.sharp)
    details = standard(np.stack([_details(each, blur)[inside] for each in (first.grey, grey)]))
    return Match(correlation, float(details[0] @ details[1]), away)


def _details(grey: np.ndarray, blur: float) -> np.ndarray:
    """What differs from the surroundings, divided by how much is usual there; noise of JPEGs stays small."""
    fine = grey - ndimage.gaussian_filter(grey, blur)
    return np.asarray(fine / (np.sqrt(ndimage.gaussian_filter(fine * fine, 2 * blur)) + 4))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """(…, 3) and (…, 3): of all values together, each channel centred; so other colours are not the same."""
    centred = [(each - each.mean(axis=0)).ravel() for each in (first, second)]
    one, other = standard(np.stack(centred))
    return float(one @ other)
