"""How unusual a score is in one collection, judged by random pairs of its own pictures.

A list of nearest neighbours always returns something; what tells a match from the best of nothing is how
rarely two pictures drawn at random are that near. Needs no labels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry
from pipeline.store.measured import Calibration, Distribution
from pipeline.store.read_points import read_points
from pipeline.vectors import unit

__all__ = [
    "FAR_SHARE",
    "MATCH_TAIL",
    "SAMPLE",
    "calibrate",
    "calibrate_version",
    "fold_cosine",
    "match_tail",
    "match_threshold",
    "score_of_share",
    "unusualness",
]

SAMPLE = 4000  # pictures; their 8 million pairs resolve the upper tail to about one in a million
MATCH_TAIL = 1e-3  # a match is nearer than all but one random pair in a thousand,
_MATCHES, _TAIL_MOST = 4, 0.05  # or, where pictures are few, than what gives one of them this many on average
# For so many of a collection's own pictures the nearest other one is no close match. New pictures of its kind
# are answered as its own are, so this is also how often they are told so.
FAR_SHARE = 0.01
# Copies of one picture: nearer than all but one random pair in a hundred thousand, within bounds. Measured
# with lite0 on WikiArt: half of all copies saved as a poor JPEG, cropped by 4 % a side or mirrored are nearer
# than 0.87, while of different works next to none in a thousand is nearer than 0.83 to any other. The upper
# bound is for collections where copies are so many that random pairs are copies.
_FOLD_TAIL, _FOLD_LEAST, _FOLD_MOST = 1e-5, 0.8, 0.97


# Shares of pairs at which the cosine distribution is kept: even steps, and the upper tail in decades.
_SHARES = np.unique(
    np.concatenate([np.linspace(0, 0.98, 50), 1 - np.outer([1, 0.5, 0.2], 10.0 ** -np.arange(2, 7)).ravel()])
)


def calibrate(vectors: np.ndarray, codes: np.ndarray, seed: int = 0) -> Calibration:
    """Score distribution of all pairs of a sample, by cosine and by Hamming distance.

    Args:
        vectors: (N, D) float, N ≥ 2, any length.
        codes: (N, B) of −1 and +1, the same pictures.
        seed: of the sample of at most 4,000.

    Returns:
        Scores are what `Hit.score` is: cosine, or 1 − 2h/B for Hamming distance h. `threshold` is the score
        of "all matches"; at most `match_tail` of all pairs reach it, unless more are copies of each other as
        far as this metric can tell. `close` is what the best hit has to reach to be a close match.

    Raises:
        ValueError: fewer than two pictures, or not as many codes as vectors.
    """
    if len(vectors) < 2 or len(vectors) != len(codes):
        raise ValueError(f"expected as many codes as vectors, 2 or more; got {len(vectors)} and {len(codes)}")
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:SAMPLE]
    sample = unit(vectors[chosen])
    signs = np.asarray(codes[chosen], np.float32)
    bits = signs.shape[1]
    tail, pairs = match_tail(len(chosen)), len(chosen) * (len(chosen) - 1) // 2

    def distribution(scores: np.ndarray, further: np.ndarray, close: float) -> Distribution:
        threshold = _score_reached_by(scores, further, tail)
        reached = 1 - _share_further(threshold, scores, further)
        return Distribution(
            scores=scores.tolist(),
            further=further.tolist(),
            threshold=threshold,
            threshold_tail=reached,
            close=round(close, 6),
            images=len(chosen),
            pairs=pairs,
            seed=seed,
        )

    # One after the other: the scores of all pairs take 64 MB, and what is made of them as much again.
    by_cosine = sample @ sample.T
    quantiles = _quantiles(np.sort(_of_pairs(by_cosine)), np.append(_SHARES, 1 - tail))
    cosine = distribution(*quantiles, _close(by_cosine))
    del by_cosine
    by_bits = signs @ signs.T
    hamming = distribution(*_counts(_distances(by_bits, bits)), _close(by_bits) / bits)
    return Calibration(cosine=cosine, hamming=hamming)


def _close(square: np.ndarray) -> float:
    """The score that the best hit of all but `FAR_SHARE` of the pictures reaches, each among the others.

    The diagonal of `square` is lost.
    """
    np.fill_diagonal(square, -np.inf)
    return float(np.quantile(square.max(axis=1), FAR_SHARE))


def _distances(square: np.ndarray, bits: int) -> np.ndarray:
    """(bits + 1,) int64: how many pairs have each Hamming distance; `square` are dot products of codes."""
    counts = np.zeros(bits + 1, np.int64)
    for at, row in enumerate(square):
        differing = np.rint((bits - row[at + 1 :]) / 2).astype(np.int64)
        counts += np.bincount(differing, minlength=bits + 1)
    return counts


def unusualness(score: float, kept: Distribution) -> float:
    """Share of random pairs that are further apart than `score`, 0 to 1; 1: no pair was as near.

    Args:
        score: a `Hit.score` of that metric.
        kept: the distribution of the metric.
    """
    return _share_further(score, kept.scores, kept.further)


def _share_further(score: float, scores: Sequence[float] | np.ndarray, further: Any) -> float:
    # A stored score is rounded to 6 digits; one that is equal but for rounding is not beyond it.
    return float(np.interp(round(score, 6), scores, further, right=1.0))


def score_of_share(share: float, kept: Distribution) -> float:
    """The score from which on a hit is called "top `share`": `unusualness` is 1 − `share` there."""
    return float(np.interp(1 - share, kept.further, kept.scores))


def match_tail(images: int) -> float:
    """Share of random pairs that may be as near as a match: one in a thousand from 4,000 pictures on.

    Among few pictures even the best hit is no rarer than one in their number, so that a fixed share would
    call all of them weak: there as many pairs may match as give a picture four, one pair in 20 at most.
    """
    return max(MATCH_TAIL, min(_TAIL_MOST, _MATCHES / max(1, images)))


def match_threshold(kept: Distribution, tail: float) -> float:
    """The lowest kept score that at most `tail` of all random pairs reach; hits at or above it are matches.

    Where even the highest does not, the highest: many pictures are then copies of each other.
    """
    return _score_reached_by(kept.scores, kept.further, tail)


def _score_reached_by(scores: Sequence[float] | np.ndarray, further: Any, tail: float) -> float:
    enough = np.flatnonzero(1 - np.asarray(further) <= tail * (1 + 1e-9))
    return float(scores[enough[0] if len(enough) else -1])


def fold_cosine(calibration: Calibration | None) -> float:
    """Cosine from which two pictures count as copies of one, for these vectors."""
    if not calibration or calibration.cosine.pairs * _FOLD_TAIL < 10:  # too few pairs to know the tail
        return _FOLD_LEAST
    return min(_FOLD_MOST, max(_FOLD_LEAST, match_threshold(calibration.cosine, _FOLD_TAIL)))


def _of_pairs(square: np.ndarray) -> np.ndarray:
    """The values above the diagonal. Row by row, because indexing 8 million pairs at once is much slower."""
    return np.concatenate([row[at + 1 :] for at, row in enumerate(square)])


def _quantiles(ordered: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and shares of further pairs at `shares` of (P,) ascending scores."""
    at = np.unique(np.ceil(shares * len(ordered) - 1e-6).astype(np.int64).clip(0, len(ordered) - 1))
    at = np.append(at, len(ordered) - 1) if at[-1] != len(ordered) - 1 else at
    scores = np.round(ordered[at].astype(np.float64), 6)
    further = np.searchsorted(ordered, ordered[at], side="left") / len(ordered)
    first = np.unique(scores, return_index=True)[1]  # np.interp wants rising scores
    return scores[first], further[first]


def _counts(by_distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of (B + 1,) pair counts by Hamming distance; kept exactly, from the furthest pair to distance 0."""
    bits = len(by_distance) - 1
    furthest = int(np.flatnonzero(by_distance)[-1])
    distances = np.arange(furthest, -1, -1)
    nearer_or_equal = np.cumsum(by_distance)[distances]
    further = 1 - nearer_or_equal / by_distance.sum()
    return np.round(1 - 2 * distances / bits, 6), further


def calibrate_version(store: Store, version: str, entry: EncoderEntry) -> Calibration | None:
    """The calibration of one encoder's stored vectors; None where there is no pair of pictures.

    The sample is the first 4,000 points by id; ids are hashes, so it is a fair one.
    """
    points = read_points(store, version, [entry.vector, entry.code], [], SAMPLE)
    if len(points.ids) < 2:
        return None
    return calibrate(points.vectors[entry.vector], points.vectors[entry.code])
