"""A function over all slices of a version, as Ray tasks: for jobs that read a collection."""

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from pipeline.errors import SimileError
from pipeline.store import Store
from pipeline.store.authority import server_variables
from pipeline.store.id_slices import IdSlice

__all__ = ["over_slices"]

T = TypeVar("T")


def over_slices(
    work: Callable[[Store, IdSlice], T], store: Store, slices: Sequence[IdSlice]
) -> Iterator[tuple[int, T]]:
    """Number and result of each slice, as they are done; needs a Ray session.

    Args:
        work: can be pickled, such as a `functools.partial` of a module's function. It is run again where its
            worker dies, so it has to be repeatable.
        store: opened again in each task. An embedded one has to be on a disk that all nodes see.

    Raises:
        SimileError: `work` raised it.
    """
    import ray
    from ray.exceptions import RayTaskError

    task = ray.remote(_run)
    shared = ray.put(pickle.dumps((work, store)))  # as bytes: the store opens once the variables are set
    about = ray.put(server_variables())
    waiting = {task.remote(shared, about, each): number for number, each in enumerate(slices)}
    try:
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            yield waiting.pop(done), ray.get(done)
    except RayTaskError as error:
        if isinstance(error.cause, SimileError):
            raise error.cause from None
        raise
    finally:
        for left in waiting:
            ray.cancel(left)


def _run(shared: bytes, about: dict[str, str], within: IdSlice) -> Any:
    os.environ.update(about)
    work, store = pickle.loads(shared)
    return work(store, within)
