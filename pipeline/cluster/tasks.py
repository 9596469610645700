"""Work on many things: in Ray's tasks, on all nodes, or while a thread gets the next."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa

from pipeline.ray_blocks import blocks_of, things_in

__all__ = ["in_free_tasks", "in_tasks", "read_ahead"]

Given = TypeVar("Given")
Answer = TypeVar("Answer")
_CPUS = 0.5  # of a task: it waits for storage half of its time


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
    return pa.table({"answer": [pickle.dumps(work(one)) for one in things_in(batch)]})


def read_ahead(each: Iterator[Answer]) -> Iterator[Answer]:
    """The same things, none of which is None; while one is worked on, a thread gets the next."""
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:
        following = reader.submit(next, each, None)
        while (one := following.result()) is not None:
            following = reader.submit(next, each, None)
            yield one
