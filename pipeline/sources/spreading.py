"""Looking into many files: by threads of this process, or by tasks on all nodes of a cluster.

Nothing here knows of Ray: whoever has a cluster passes in what runs work on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from pipeline.errors import SimileError

__all__ = ["Spread", "by_tasks", "by_threads"]

Found = TypeVar("Found")
_THREADS_IN_A_TASK = 4  # a task has half a core and mostly waits; a Hub or a bucket is asked by all of them


class Spread(Protocol):
    """Runs work elsewhere, such as in tasks on all nodes of a cluster."""

    def __call__(
        self, work: Callable[[Sequence[str]], Found], each: Sequence[Sequence[str]], /
    ) -> Iterable[Found]:
        """What `work` makes of each, as the answers come. All of it is pickled."""


def by_threads(
    look: Callable[[str], Found], files: Sequence[str], threads: int
) -> Iterator[tuple[str, Found]]:
    """Each file and what `look` finds in it, in order.

    Raises:
        whatever `look` raises.
    """
    with ThreadPoolExecutor(threads) as pool:
        yield from zip(files, pool.map(look, files), strict=True)


def by_tasks(
    look: Callable[[str], Found], files: Sequence[str], spread: Spread, files_a_task: int
) -> Iterator[tuple[str, Found]]:
    """Each file and what `look` finds in it, in any order.

    Args:
        look: what it returns is pickled, and so is `look` itself.
        files_a_task: no task is told of more.

    Raises:
        SimileError: `look` raises it; the first one that comes back.
    """
    chunks = [files[start : start + files_a_task] for start in range(0, len(files), files_a_task)]
    for answer in spread(partial(_look, look=look), chunks):
        # An error is sent back as an answer: Ray would add where it comes from, and try again.
        if isinstance(answer, SimileError):
            raise answer
        yield from answer


def _look(files: Sequence[str], *, look: Callable[[str], Found]) -> list[tuple[str, Found]] | SimileError:
    try:
        return list(by_threads(look, files, _THREADS_IN_A_TASK))
    except SimileError as error:
        return error
