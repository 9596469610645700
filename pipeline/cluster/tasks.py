"""Work on many things in Ray's tasks, on all nodes: units, or what was decided on them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa

__all__ = ["blocks_of", "in_free_tasks", "in_tasks"]

Given = TypeVar("Given")
Answer = TypeVar("Answer")
_MOST_BLOCKS = 4096  # each costs Ray some milliseconds, and the driver some kilobytes
_CPUS = 0.5  # of a task: it waits for storage half of its time


def blocks_of(each: Sequence[Any]) -> list[pa.Table]:
    """Blocks for Ray: the column `given` holds one thing a row; one row in each, unless they are many."""
    step = max(1, -(-len(each) // _MOST_BLOCKS))
    return [
        pa.table({"given": [pickle.dumps(one) for one in each[start : start + step]]})
        for start in range(0, len(each), step)
    ]


def in_tasks(work: Callable[[Given], Answer], each: Sequence[Given]) -> Iterator[Answer]:
    """What `work` makes of each, as the answers come.

    Args:
        work: a function of a module, or a partial of one; it and its answers are pickled.
    """
    import ray

    if not each:
        return
    done: Any = ray.data.from_arrow(blocks_of(each)).map_batches(
        partial(_work, work=work), batch_format="pyarrow", batch_size=1, num_cpus=_CPUS
    )
    for batch in done.iter_batches(batch_size=None, batch_format="pyarrow"):
        for answer in batch["answer"].to_pylist():
            yield pickle.loads(answer)


def in_free_tasks(work: Callable[[Given], Answer], each: Sequence[Given]) -> Iterator[Answer]:
    """`in_tasks`; or in this process, one after the other, where others hold all CPUs of the cluster now.

    So a job that only looks at its source waits for nobody, and not for nodes that may never come.
    """
    import ray

    if ray.available_resources().get("CPU", 0.0) >= _CPUS:
        yield from in_tasks(work, each)
    else:
        yield from map(work, each)


def _work(batch: pa.Table, *, work: Callable[[Any], Any]) -> pa.Table:
    return pa.table({"answer": [pickle.dumps(work(pickle.loads(one))) for one in batch["given"].to_pylist()]})
