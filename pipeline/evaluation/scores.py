"""One method under one protocol -> the measures of a table row, with intervals and tie bounds.

All measures are means over the queries that have something to find; mAP@k is the mean of AP@k. The formulas
for one query are in metrics.py: P@k `precision_at`, R@k `recall_at`, nDCG@k `ndcg_at`, AP@k, AP@R and AP@all
`average_precision`.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from pipeline.evaluation.labels import UNLABELLED
from pipeline.evaluation.methods import Method
from pipeline.evaluation.metrics import (
    TieGroups,
    TieOrder,
    average_precision,
    bootstrap_interval,
    ndcg_at,
    precision_at,
    recall_at,
)
from pipeline.evaluation.protocols import Protocol
from pipeline.evaluation.rankings import cosine_rankings, hamming_groups

__all__ = ["MEASURES", "TIE_RULE", "score", "summary"]

TIE_RULE = "expected over random order of equal distances; best and worst order beside it"

Measure = Callable[..., np.ndarray]
# name -> (measure, the rank it needs)
MEASURES: dict[str, tuple[Measure, int]] = {
    "P@1": (partial(precision_at, k=1), 1),
    "P@10": (partial(precision_at, k=10), 10),
    "R@100": (partial(recall_at, k=100), 100),
    "nDCG@10": (partial(ndcg_at, k=10), 10),
    "mAP@100": (partial(average_precision, k=100), 1),
    "mAP@R": (lambda groups, order="expected": average_precision(groups, groups.total, order), 1),
    "mAP@all": (average_precision, 1),
}
_ORDERS: tuple[TieOrder, ...] = ("best", "worst")


def score(method: Method, protocol: Protocol, labels: np.ndarray) -> dict[str, Any]:
    """Mean of every measure over the queries that have something to find.

    Args:
        method: its `vectors` are of the whole pool.
        protocol: queries and database.
        labels: (N,) int of the whole pool; equal is relevant, −1 is never.

    Returns:
        `queries`, `without_relevant` (left out), and `scores`: measure -> mean, low, high (95 % bootstrap)
        and, for Hamming, best and worst over the order of ties.
    """
    asked = labels[protocol.queries] != UNLABELLED
    queries = protocol.queries[asked]
    own = protocol.own
    values: dict[str, dict[str, list[np.ndarray]]] = {}
    for groups in _rankings(method, protocol, queries, labels, None if own is None else own[asked]):
        found = groups.total > 0
        for name, orders in _measured(TieGroups(groups.sizes[found], groups.relevant[found]), method.metric):
            for order, each in orders.items():
                values.setdefault(name, {}).setdefault(order, []).append(each)
    joined = {
        name: {order: np.concatenate(parts) for order, parts in orders.items()}
        for name, orders in values.items()
    }
    scored = len(next(iter(joined.values()))["expected"]) if joined else 0
    return {
        "queries": scored,
        "without_relevant": int(len(protocol.queries) - scored),
        "scores": {name: summary(**orders) for name, orders in joined.items()} if scored else {},
    }


def summary(expected: np.ndarray, **bounds: np.ndarray) -> dict[str, float]:
    """(Q,) values of each query -> mean with its interval, and the means of the bounds."""
    low, high = bootstrap_interval(expected)
    means = {"mean": float(expected.mean()), "low": low, "high": high}
    return {key: round(value, 4) for key, value in means.items()} | {
        order: round(float(each.mean()), 4) for order, each in bounds.items()
    }


def _rankings(
    method: Method, protocol: Protocol, queries: np.ndarray, labels: np.ndarray, own: np.ndarray | None
) -> Iterator[TieGroups]:
    asked, searched = method.vectors[queries], method.vectors[protocol.database]
    wanted, there = labels[queries], labels[protocol.database]
    if not len(queries):
        return
    if method.metric == "hamming":
        yield hamming_groups(asked, searched, wanted, there, own)
    else:
        yield from cosine_rankings(asked, searched, wanted, there, own, method.offsets)


def _measured(groups: TieGroups, metric: str) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    if not len(groups.sizes):
        return
    size = int(groups.sizes[0].sum())
    for name, (measure, rank) in MEASURES.items():
        if size < rank:
            continue
        orders = {"expected": measure(groups)}
        if metric == "hamming":
            orders |= {order: measure(groups, order=order) for order in _ORDERS}
        yield name, orders
