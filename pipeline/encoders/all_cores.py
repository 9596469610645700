"""The same work for many things at once, one thread for each core."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

__all__ = ["CORES", "on_all_cores"]

CORES = os.cpu_count() or 1
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


def on_all_cores(work: Callable[[_Given], _Made], things: Sequence[_Given]) -> list[_Made]:
    """What `work` makes of each, in their order. Limits of decoding that hold here hold in the threads too.

    Raises:
        Exception: whatever `work` raises first, in the order of `things`.
    """
    if len(things) < 2:
        return [work(each) for each in things]
    import torch

    before = torch.get_num_threads()
    try:
        # One thread of torch each: more would only wait for one another.
        with ThreadPoolExecutor(CORES, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            running = [pool.submit(copy_context().run, work, each) for each in things]
            try:
                return [each.result() for each in running]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        torch.set_num_threads(before)  # new threads take the number that was set last, wherever that was
