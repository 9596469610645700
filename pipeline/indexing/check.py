"""Stage 6, check: the exact neighbours of some stored points, from the staged vectors of all others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from pipeline.cluster.tasks import in_tasks
from pipeline.index_quality.recall import K, Queries, Truth
from pipeline.index_quality.truth import Nearest
from pipeline.indexing.catalogue import rows_in
from pipeline.indexing.unit_points import Target
from pipeline.staging.ids import id_words
from pipeline.staging.parts import Parts
from pipeline.staging.unit_files import READERS
from pipeline.vectors import unit

__all__ = ["exact_neighbours"]

UnitBits = tuple[str, np.ndarray]  # a unit, and its rows that are points, as packed bits
_UNITS_A_TASK = 64  # what a task answers (K ids for each query) is then a hundredth of what it read


def exact_neighbours(
    queries: Sequence[Queries],
    *,
    target: Target,
    units: Sequence[UnitBits],
    parts: Parts,
    everywhere: bool,
) -> list[Truth]:
    """For each of `queries` the truth of its vectors. Every staged vector is read once, and none is kept.

    Args:
        queries: of vectors of the target.
        target: whose staged vectors.
        units: all of the version.
        everywhere: in Ray's tasks on all nodes; else in threads of this process.
    """
    tasks = [units[start : start + _UNITS_A_TASK] for start in range(0, len(units), _UNITS_A_TASK)]
    search = partial(_nearest, queries=queries, target=target, parts=parts)
    nearest = [Nearest(each.vectors, each.own, K) for each in queries]
    if everywhere:
        _join(nearest, in_tasks(search, tasks))
    else:
        with ThreadPoolExecutor(READERS) as pool:
            _join(nearest, pool.map(search, tasks))
    return [each.found() for each in nearest]


def _join(nearest: Sequence[Nearest], answers: Iterable[Sequence[Nearest]]) -> None:
    for answer in answers:
        for mine, theirs in zip(nearest, answer, strict=True):
            mine.join(theirs)


def _nearest(
    units: Sequence[UnitBits], *, queries: Sequence[Queries], target: Target, parts: Parts
) -> list[Nearest]:
    """The nearest points of some units, read one after the other."""
    nearest = [Nearest(each.vectors, each.own, K) for each in queries]
    for name, bits in units:
        words, vectors = staged_vectors(target, name, rows_in(bits), parts)
        for each, found in zip(queries, nearest, strict=True):
            if len(words):
                found.add(words, vectors[each.using])
    return nearest


def staged_vectors(
    target: Target, name: str, rows: np.ndarray, parts: Parts
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Ids (N, 2) uint64 and named vectors (N, D) float32 of some rows of a unit, as the store has them."""
    words = id_words(parts.read(name, ["id"])["id"])[rows]
    vectors = target.vectors(target.staging.read(name).of(words))
    return words, vectors | {target.vector: unit(vectors[target.vector])}
