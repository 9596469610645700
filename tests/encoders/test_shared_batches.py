"""Rows of many threads share the batches of one function."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipeline.encoders.shared_batches import SharedBatches


class _Busy:
    """Doubles rows, and is held up at its first call until `go` is set."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        self.sizes.append(len(rows))
        self.started.set()
        assert self.go.wait(10)
        if (rows < 0).any():
            raise ValueError("a negative number")
        return 2 * rows


def _asked(busy: _Busy, shared: SharedBatches, first: float, others: list[float]) -> list[object]:
    """What each gets, where `others` come while `first` is worked on."""

    def ask(value: float) -> object:
        try:
            return float(shared(np.array([value]))[0])
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(ask, first)]
        assert busy.started.wait(10)
        asked += [pool.submit(ask, value) for value in others]
        while len(shared._waiting) < len(others):
            pass
        busy.go.set()
        return [each.result(10) for each in asked]


def test_rows_that_come_meanwhile_are_one_batch_and_each_gets_its_own() -> None:
    busy = _Busy()
    answers = _asked(busy, SharedBatches(busy, 8), 1, [2, 3, 4])
    assert answers == [2, 4, 6, 8] and busy.sizes == [1, 3]


def test_a_batch_has_no_more_rows_than_it_may() -> None:
    busy = _Busy()
    answers = _asked(busy, SharedBatches(busy, 2), 0, [1, 2, 3, 4, 5])
    assert answers == [0, 2, 4, 6, 8, 10] and busy.sizes == [1, 2, 2, 1]


def test_an_interruption_leaves_nobody_waiting() -> None:
    def stopped(rows: np.ndarray) -> np.ndarray:
        started.set()
        assert go.wait(10)
        raise KeyboardInterrupt

    started, go = threading.Event(), threading.Event()
    shared = SharedBatches(stopped, 8)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(shared, np.zeros(1))]
        assert started.wait(10)
        asked += [pool.submit(shared, np.zeros(1)) for _ in range(2)]
        while len(shared._waiting) < 2:
            pass
        go.set()
        assert [type(each.exception(10)) for each in asked] == [KeyboardInterrupt] * 3


def test_an_error_reaches_those_of_its_batch_and_the_next_row_is_worked_on() -> None:
    busy = _Busy()
    shared = SharedBatches(busy, 8)
    assert _asked(busy, shared, 1, [2, -3]) == [2, "a negative number", "a negative number"]
    assert shared(np.array([4.0])) == pytest.approx([8])
