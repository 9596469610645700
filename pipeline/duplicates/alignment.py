"""Grey pictures laid over each other, many pairs at once: moved, scaled and turned until they fit best.

Baker & Matthews, "Lucas-Kanade 20 Years On" (IJCV 2004): inverse compositional, affine. A place in a picture
is (row, column, 1), from −0.5 to 0.5. B pairs are worked on together, because one alone costs more in calls
than in arithmetic.
"""

import numpy as np
from scipy import ndimage

__all__ = ["LEAST_OVERLAP", "align", "moved", "smooth", "standard", "warped"]

LEAST_OVERLAP = 0.7  # of the first picture's pixels that the second one covers
_BLUR = 0.7  # pixels: a picture is smooth enough for its slope to say where it has to go
_STILL = 1e-3  # a step that moves no corner by more than this share of the side ends the search,
_AWAY = 0.25  # and so do corners that are this far from where they were: that is no copy
_FLAT = 1e-3  # length of a picture without its mean, below which it has one colour
_LEAST_AREA = 0.1  # that one step may shrink a picture to
_EDGE = 1e-3  # pixels beyond the outermost that count as inside, for rounding
_CORNERS = np.array([[-0.5, -0.5, 0.5, 0.5], [-0.5, 0.5, -0.5, 0.5], [1, 1, 1, 1]])


def smooth(grey: np.ndarray) -> np.ndarray:
    """(B, S, S) float32, as pictures are aligned."""
    return np.asarray(ndimage.gaussian_filter(grey.astype(np.float32), (0, _BLUR, _BLUR)))


def align(first: np.ndarray, second: np.ndarray, warps: np.ndarray, steps: int) -> np.ndarray:
    """(B, 3, 3): affine warps by which each second picture fits the first one best, near given ones.

    Args:
        first, second: (B, S, S) float32, of `smooth`.
        warps: (B, 3, 3), where the search begins.
        steps: at most; a pair for which nothing moves any more ends sooner.
    """
    warps, at_work = warps.copy(), np.arange(len(first))
    solver, template = _solvers(first), first.reshape(len(first), -1)
    for _ in range(steps):
        warp = warps[at_work]
        seen = warped(second, warp).reshape(len(warp), -1)
        inside = ~np.isnan(seen)
        covered = inside.sum(axis=1)
        seen, wanted = _centred(seen, inside, covered), _centred(template, inside, covered)
        spread = np.linalg.norm(seen, axis=1)
        going = (covered >= LEAST_OVERLAP * seen.shape[1]) & (spread >= _FLAT)
        # The second picture's contrast as the first one has it; outside nothing differs.
        seen *= (np.linalg.norm(wanted, axis=1) / np.maximum(spread, _FLAT)).astype(np.float32)[:, None]
        change = (solver @ (seen - wanted)[:, :, None]).reshape(-1, 2, 3)
        step = np.tile(np.eye(3), (len(warp), 1, 1))
        step[:, :2] += change
        going &= np.abs(np.linalg.det(step)) >= _LEAST_AREA
        warp[going] = warp[going] @ np.linalg.inv(step[going])
        warps[at_work] = warp
        going &= (moved(step) >= _STILL) & (moved(warp) <= _AWAY)
        if not going.all():  # those that have ended are worked on no more
            at_work, solver, template, second = (each[going] for each in (at_work, solver, template, second))
        if not len(at_work):
            break
    return warps


def warped(images: np.ndarray, warps: np.ndarray) -> np.ndarray:
    """(B, S, S) float32: at each place the image's value at `warp` of that place, NaN outside; bilinear."""
    count, side = len(images), images.shape[-1]
    last = np.float32(side - 1)
    line = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    places = np.stack(np.meshgrid(line, line, indexing="ij")).reshape(2, -1)
    rows, columns = (_pixels(warps[:, axis].astype(np.float32), places, last) for axis in (0, 1))
    inside = (rows >= -_EDGE) & (rows <= last + _EDGE) & (columns >= -_EDGE) & (columns <= last + _EDGE)
    upper, down = _split(rows, last)
    left, right = _split(columns, last)
    at = upper * side + left + (np.arange(count) * side * side)[:, None]
    flat = np.ascontiguousarray(images, np.float32).ravel()
    above, below = flat.take(at), flat.take(at + side)
    at += 1
    above += (flat.take(at) - above) * right
    below += (flat.take(at + side) - below) * right
    above += (below - above) * down
    above[~inside] = np.nan
    return np.asarray(above.reshape(images.shape))


def _pixels(warp: np.ndarray, places: np.ndarray, last: np.float32) -> np.ndarray:
    """(B, S²) float32: rows or columns, in pixels, of places under (B, 3) of a warp."""
    found = warp[:, :2] @ places
    found += warp[:, 2:] + np.float32(0.5)
    found *= last
    return np.asarray(found)


def _split(pixels: np.ndarray, last: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Whole pixels with a neighbour behind them, and what is left, 0 to 1."""
    kept = np.clip(pixels, 0, last)
    whole = np.minimum(kept.astype(np.intp), int(last) - 1)
    kept -= whole.astype(np.float32)
    return whole, kept


def moved(warps: np.ndarray) -> np.ndarray:
    """(B,): how far the corner that moved furthest is from where it was, as a share of the side."""
    return np.asarray(np.linalg.norm((warps @ _CORNERS - _CORNERS)[:, :2], axis=1).max(axis=1))


def standard(values: np.ndarray, inside: np.ndarray | None = None) -> np.ndarray:
    """(B, P) with mean 0 and length 1 each; 0 outside, and where a picture has one colour.

    Args:
        inside: (B, P) bool, what counts; None: everything.
    """
    mask = np.ones(values.shape, bool) if inside is None else inside
    centred = _centred(values, mask, mask.sum(axis=1))
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > _FLAT))


def _centred(values: np.ndarray, inside: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(B, P): without the mean of what is inside; 0 outside."""
    kept = np.where(inside, values, np.float32(0))
    means = kept.sum(axis=1, dtype=np.float64) / np.maximum(count, 1)
    kept -= means[:, None].astype(np.float32)
    kept[~inside] = 0
    return kept


def _solvers(images: np.ndarray) -> np.ndarray:
    """(B, 6, S²): from how each pixel differs to the change of the six parameters of an affine warp."""
    count, side = len(images), images.shape[-1]
    down, right = np.gradient(images, 1 / (side - 1), axis=(1, 2))
    line = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    rows, columns = np.meshgrid(line, line, indexing="ij")
    each = [down * rows, down * columns, down, right * rows, right * columns, right]
    slopes = np.stack(each, axis=1).reshape(count, 6, -1).astype(np.float32)
    squares = (slopes @ slopes.transpose(0, 2, 1)).astype(np.float64)
    # A picture of stripes has no slope along them, and must not be moved there.
    ridge = 1e-6 * (np.trace(squares, axis1=1, axis2=2) + 1)
    inverse = np.linalg.inv(squares + ridge[:, None, None] * np.eye(6))
    return np.asarray(inverse.astype(np.float32) @ slopes)
