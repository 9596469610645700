"""How unusual a score is in one collection, judged by random pairs of its own pictures.

A list of nearest neighbours always returns something; what tells a match from the best of nothing is how
rarely two pictures drawn at random are that near. Needs no labels.
"""

from typing import Any

import numpy as np

from pipeline.store import Store
from pipeline.store.read_points import read_points

__all__ = [
    "MATCH_TAIL",
    "SAMPLE",
    "calibrate",
    "calibrate_version",
    "fold_cosine",
    "match_tail",
    "match_threshold",
    "unusualness",
]

SAMPLE = 4000  # pictures; their 8 million pairs resolve the upper tail to about one in a million
MATCH_TAIL = 1e-3  # a match is nearer than all but one random pair in a thousand,
_MATCHES, _TAIL_MOST = 4, 0.05  # or, where pictures are few, than what gives one of them this many on average
# Copies of one picture: nearer than all but one random pair in a hundred thousand, within bounds. Measured
# with lite0 on WikiArt: half of all copies saved as a poor JPEG, cropped by 4 % a side or mirrored are nearer
# than 0.87, while of different works next to none in a thousand is nearer than 0.83 to any other. The upper
# bound is for collections where copies are so many that random pairs are copies.
_FOLD_TAIL, _FOLD_LEAST, _FOLD_MOST = 1e-5, 0.8, 0.97


# Shares of pairs at which the cosine distribution is kept: even steps, and the upper tail in decades.
_SHARES = np.unique(
    np.concatenate([np.linspace(0, 0.98, 50), 1 - np.outer([1, 0.5, 0.2], 10.0 ** -np.arange(2, 7)).ravel()])
)


def calibrate(vectors: np.ndarray, codes: np.ndarray, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Score distribution of all pairs of a sample.

    Args:
        vectors: (N, D) float, N ≥ 2, any length.
        codes: (N, B) of −1 and +1, the same pictures.
        seed: of the sample of at most 4,000.

    Returns:
        JSON-able, for each metric (`cosine`, `hamming`):
        `scores`: ascending, cosine or 1 − 2h/B for Hamming distance h (what `Hit.score` is);
        `further`: share of pairs whose score is lower than each of `scores`;
        `threshold`: score of "all matches"; `threshold_tail`: share of pairs that reach it, `match_tail` at
        most unless more are copies of each other as far as this metric can tell;
        `images`, `pairs`, `seed`.

    Raises:
        ValueError: fewer than two pictures, or not as many codes as vectors.
    """
    if len(vectors) < 2 or len(vectors) != len(codes):
        raise ValueError(f"expected as many codes as vectors, 2 or more; got {len(vectors)} and {len(codes)}")
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:SAMPLE]
    sample = np.asarray(vectors[chosen], np.float32)
    sample = sample / np.maximum(np.linalg.norm(sample, axis=1, keepdims=True), np.float32(1e-12))
    signs = np.asarray(codes[chosen], np.float32)
    bits = signs.shape[1]
    cosines = np.sort(_of_pairs(sample @ sample.T))
    differing = np.rint((bits - _of_pairs(signs @ signs.T)) / 2).astype(np.int64)
    facts = {"images": len(chosen), "pairs": len(cosines), "seed": seed}
    tail = match_tail(len(chosen))
    found = {
        "cosine": _quantiles(cosines, np.append(_SHARES, 1 - tail)),
        "hamming": _counts(np.bincount(differing, minlength=bits + 1)),
    }
    return {
        metric: distribution | _threshold(found, metric, tail) | facts
        for metric, distribution in found.items()
    }


def unusualness(score: float, calibration: dict[str, dict[str, Any]], metric: str) -> float:
    """Share of random pairs that are further apart than `score`, 0 to 1; 1: no pair was as near.

    Args:
        score: a `Hit.score` of that metric.
        calibration: what `calibrate` returned.
        metric: `cosine` or `hamming`.
    """
    kept = calibration[metric]
    # A stored score is rounded to 6 digits; one that is equal but for rounding is not beyond it.
    return float(np.interp(round(score, 6), kept["scores"], kept["further"], right=1.0))


def match_tail(images: int) -> float:
    """Share of random pairs that may be as near as a match: one in a thousand from 4,000 pictures on.

    Among few pictures even the best hit is no rarer than one in their number, so that a fixed share would
    call all of them weak: there as many pairs may match as give a picture four, one pair in 20 at most.
    """
    return max(MATCH_TAIL, min(_TAIL_MOST, _MATCHES / max(1, images)))


def match_threshold(calibration: dict[str, dict[str, Any]], metric: str, tail: float) -> float:
    """The lowest kept score that at most `tail` of all random pairs reach; hits at or above it are matches.

    Where even the highest does not, the highest: many pictures are then copies of each other.
    """
    kept = calibration[metric]
    reached = 1 - np.asarray(kept["further"])
    enough = np.flatnonzero(reached <= tail * (1 + 1e-9))
    return float(kept["scores"][enough[0] if len(enough) else -1])


def fold_cosine(calibration: dict[str, dict[str, Any]] | None) -> float:
    """Cosine from which two pictures count as copies of one, for these vectors."""
    if not calibration or calibration["cosine"]["pairs"] * _FOLD_TAIL < 10:  # the tail cannot be told
        return _FOLD_LEAST
    return min(_FOLD_MOST, max(_FOLD_LEAST, match_threshold(calibration, "cosine", _FOLD_TAIL)))


def _of_pairs(square: np.ndarray) -> np.ndarray:
    """What stands above the diagonal, row by row: by indices of 8 million pairs it takes most of the time."""
    return np.concatenate([row[at + 1 :] for at, row in enumerate(square)])


def _threshold(found: dict[str, dict[str, Any]], metric: str, tail: float) -> dict[str, float]:
    threshold = match_threshold(found, metric, tail)
    return {"threshold": threshold, "threshold_tail": 1 - unusualness(threshold, found, metric)}


def _quantiles(ordered: np.ndarray, shares: np.ndarray) -> dict[str, list[float]]:
    """Of (P,) ascending scores."""
    at = np.unique(np.ceil(shares * len(ordered) - 1e-6).astype(np.int64).clip(0, len(ordered) - 1))
    at = np.append(at, len(ordered) - 1) if at[-1] != len(ordered) - 1 else at
    scores = np.round(ordered[at].astype(np.float64), 6)
    further = np.searchsorted(ordered, ordered[at], side="left") / len(ordered)
    first = np.unique(scores, return_index=True)[1]  # np.interp wants rising scores
    return {"scores": scores[first].tolist(), "further": further[first].tolist()}


def _counts(by_distance: np.ndarray) -> dict[str, list[float]]:
    """Of (B + 1,) pair counts by Hamming distance; kept exactly, from the furthest pair to distance 0."""
    bits = len(by_distance) - 1
    furthest = int(np.flatnonzero(by_distance)[-1])
    distances = np.arange(furthest, -1, -1)
    nearer_or_equal = np.cumsum(by_distance)[distances]
    further = 1 - nearer_or_equal / by_distance.sum()
    return {"scores": np.round(1 - 2 * distances / bits, 6).tolist(), "further": further.tolist()}


def calibrate_version(store: Store, version: str, encoders: list[dict[str, Any]]) -> None:
    """Enter `calibration` in each of the manifest's `encoders`; nothing where there is no pair of pictures.

    The sample is the first 4,000 points by id; ids are hashes, so it is a fair one.
    """
    for facts in encoders:
        points = read_points(store, version, [facts["vector"], facts["code"]], [], SAMPLE)
        if len(points.ids) > 1:
            facts["calibration"] = calibrate(points.vectors[facts["vector"]], points.vectors[facts["code"]])
