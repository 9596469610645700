"""Given a few liked works of one artist or style: is another one, held out, among the first ten?"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation.labels import UNLABELLED
from pipeline.evaluation.scores import summary
from pipeline.vectors import unit

__all__ = ["LIKED", "Trials", "draw_trials", "recommend_table"]

LIKED = (1, 3, 5)  # works liked
_FIRST = 10  # recommendations looked at
_TRIALS = 1000  # in all, enough for narrow intervals; the same number for each label value, at least five
_MMR_POOL = 50  # candidates that diversification chooses from
_MMR_LAMBDA = 0.5  # relevance and novelty weigh alike


@dataclass(frozen=True)
class Trials:
    """T trials: places of the k liked works and of the one held out, all of one label value."""

    liked: np.ndarray  # (T, k) int64
    held_out: np.ndarray  # (T,) int64


def draw_trials(
    labels: np.ndarray, liked: int, likeable: np.ndarray, findable: np.ndarray, seed: int = 0
) -> Trials:
    """About a thousand trials, the same number for each label value as far as it has enough works.

    Args:
        labels: (N,) int, −1 unlabelled.
        liked: k.
        likeable, findable: places of works that can be liked, and of works that can be held out; with a
            trained network the latter are works that it was not trained on.
    """
    rng = np.random.default_rng(seed)
    rows, targets = [], []
    present = np.unique(labels[labels != UNLABELLED])
    each = max(5, -(-_TRIALS // max(1, len(present))))
    for value in present:
        pool, hidden = likeable[labels[likeable] == value], findable[labels[findable] == value]
        for target in rng.permutation(hidden)[:each]:
            others = pool[pool != target]
            if len(others) >= liked:
                rows.append(np.sort(rng.choice(others, liked, replace=False)))
                targets.append(target)
    return Trials(np.array(rows, np.int64).reshape(-1, liked), np.array(targets, np.int64))


def recommend_table(
    vectors: np.ndarray,
    labels: np.ndarray,
    trials: Trials,
    database: np.ndarray,
) -> list[dict[str, Any]]:
    """Three ways to recommend from the liked works, which are left out of the results themselves.

    `average`: cosine to the mean of the liked unit vectors; `best`: cosine to the nearest liked work;
    `average, diverse`: maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998) over the first 50 of
    `average`.

    Returns:
        A row each, with mean, low and high over trials of
        recall@10: the held-out work is among the first ten;
        nDCG@10: 1 / log₂(rank + 1) if it is, else 0 (one relevant work, so the ideal is 1);
        same@10: share of the first ten with the label of the liked works;
        diversity: 1 − mean cosine between two of the first ten.

    Args:
        vectors: (N, D) float of the whole pool.
        labels: (N,) int.
        trials: of `draw_trials`.
        database: places of the works that are searched; held-out works are searched in any case.
    """
    vectors = unit(vectors)
    searched = np.union1d(database, trials.held_out)
    values: dict[str, dict[str, list[float]]] = {}
    for liked, target in zip(trials.liked, trials.held_out, strict=True):
        candidates = searched[~np.isin(searched, liked)]
        to_each = vectors[candidates] @ vectors[liked].T
        for strategy, first in _strategies(vectors[candidates], to_each):
            measured = _measure(candidates[first], target, vectors, labels)
            for name, value in measured.items():
                values.setdefault(strategy, {}).setdefault(name, []).append(value)
    return [
        {
            "strategy": strategy,
            "liked": trials.liked.shape[1],
            "trials": len(trials.held_out),
            "scores": {name: summary(np.array(each)) for name, each in measures.items()},
        }
        for strategy, measures in values.items()
    ]


def _strategies(candidates: np.ndarray, to_each: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Name and places of the first ten candidates, from (C, D) vectors and (C, k) cosines to the liked."""
    average, best = to_each.mean(axis=1), to_each.max(axis=1)
    pool = np.argsort(-average)[:_MMR_POOL]
    return [
        ("average", pool[:_FIRST]),
        ("best", np.argsort(-best)[:_FIRST]),
        ("average, diverse", pool[_diverse(candidates[pool], average[pool])]),
    ]


def _diverse(candidates: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """Places of ten candidates: each next one maximises λ · relevance − (1 − λ) · cosine to the chosen."""
    alike = candidates @ candidates.T
    chosen = [int(relevance.argmax())]
    while len(chosen) < min(_FIRST, len(candidates)):
        value = _MMR_LAMBDA * relevance - (1 - _MMR_LAMBDA) * alike[:, chosen].max(axis=1)
        value[chosen] = -np.inf
        chosen.append(int(value.argmax()))
    return np.array(chosen)


def _measure(first: np.ndarray, target: int, vectors: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    at = np.flatnonzero(first == target)
    alike = vectors[first] @ vectors[first].T
    pairs = np.triu_indices(len(first), 1)
    return {
        "recall@10": float(len(at) > 0),
        "nDCG@10": float(1 / np.log2(at[0] + 2)) if len(at) else 0.0,
        "same@10": float((labels[first] == labels[target]).mean()),
        "diversity": float(1 - alike[pairs].mean()) if len(first) > 1 else 0.0,
    }
