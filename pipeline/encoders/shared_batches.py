"""One network for many threads: rows that come in while it is at work pass through it together next."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["SharedBatches"]


@dataclass(eq=False)
class _Waiting:
    """A row whose result is not there yet."""

    row: np.ndarray
    result: np.ndarray | None = None
    error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.result is not None or self.error is not None


class SharedBatches:
    """A function of batches that is called with single rows, from many threads at once.

    Nobody waits for company: a row that comes alone is worked on alone and at once. Those that come meanwhile
    are one batch when the function is free again, so that it never runs twice at a time.

    Args:
        work: (N, ...) -> (N, D).
        most: rows of a batch.
    """

    def __init__(self, work: Callable[[np.ndarray], np.ndarray], most: int) -> None:
        self._work, self._most = work, most
        self._waiting: list[_Waiting] = []
        self._adding, self._working = threading.Lock(), threading.Lock()

    def __call__(self, row: np.ndarray) -> np.ndarray:
        """(...) -> (D,).

        Raises:
            Exception: whatever the function raises for the batch that this row was in.
        """
        own = _Waiting(row)
        with self._adding:
            self._waiting.append(own)
        while not own.is_done:
            with self._working:
                if not own.is_done:  # else another thread has worked on it by now
                    self._run_next()
        if own.error is not None:
            raise own.error
        assert own.result is not None
        return own.result

    def _run_next(self) -> None:
        with self._adding:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            results = self._work(np.stack([one.row for one in batch]))
        except BaseException as error:  # also Ctrl-C: nobody may wait for ever
            for one in batch:
                one.error = error
            if not isinstance(error, Exception):
                raise
            return
        for one, result in zip(batch, results, strict=True):
            one.result = result
