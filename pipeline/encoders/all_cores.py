"""The same work for many things at once, one thread for each core."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

__all__ = ["CORES", "GROUP", "groups_of", "on_all_cores", "one_thread", "pool_of", "threads_now"]

CORES = os.cpu_count() or 1
# Pictures that a thread takes at once: it prepares all of them before the network sees the first. Preparing
# and embedding use the processor's cache for different things. At 500 × 375 and 224 px groups of 32 are 6 %
# faster than groups of 8, and groups of 64 would be 2 % faster still.
GROUP = 32
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")
_thread = threading.local()


def on_all_cores(work: Callable[[_Given], _Made], things: Sequence[_Given]) -> list[_Made]:
    """What `work` makes of each, in their order. Limits of decoding that hold here hold in the threads too.

    A call from one of these threads works in that thread alone, as the others are at work already.

    Raises:
        Exception: whatever `work` raises first, in the order of `things`.
    """
    if len(things) < 2 or getattr(_thread, "is_of_a_pool", False):
        return [work(each) for each in things]
    with pool_of(CORES) as pool:
        running = [pool.submit(copy_context().run, _in_pool, work, each) for each in things]
        try:
            return [each.result() for each in running]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def groups_of(things: Sequence[_Given]) -> list[Sequence[_Given]]:
    """What a thread takes at once: `GROUP`, or fewer where there are few, so that every core has some."""
    step = max(1, min(GROUP, len(things) // CORES))
    return [things[start : start + step] for start in range(0, len(things), step)]


def _in_pool(work: Callable[[_Given], _Made], given: _Given) -> _Made:
    _thread.is_of_a_pool = True
    return work(given)


@contextmanager
def pool_of(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads in each of which torch, where it is loaded, computes alone."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    try:
        with ThreadPoolExecutor(threads, initializer=one_thread) as pool:
            yield pool
    finally:
        if torch:
            torch.set_num_threads(before)  # new threads take the number that was set last, wherever that was


def one_thread() -> None:
    """From now on torch, where it is loaded, computes in the calling thread alone: on busy cores more threads
    would only wait for one another.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def threads_now() -> int:
    """Threads in which a network may compute on a CPU: torch's own number, which follows OMP_NUM_THREADS."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    stated = os.environ.get("OMP_NUM_THREADS", "")
    return int(stated) if stated.isdecimal() and int(stated) else CORES
