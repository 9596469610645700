"""How many rejects stop a job."""

import pytest

from pipeline.indexing.job import too_many


@pytest.mark.parametrize(
    ("rejected", "rows", "fraction", "stops"),
    [
        (1, 10, 0.05, False),
        (9, 100, 0.05, False),
        (10, 100, 0.05, True),
        (10, 200, 0.05, False),
        (5, 10, 0.05, False),
        (6, 10, 0.05, True),
        (1, 1, 0.05, True),
        (0, 0, 0.0, False),
        (1, 1000, 0.0, True),
    ],
)
def test_how_many_rejects_stop_a_job(rejected: int, rows: int, fraction: float, stops: bool) -> None:
    assert too_many(rejected, rows, fraction) is stops
