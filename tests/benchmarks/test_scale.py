"""The benchmark of scale, with few rows: three real jobs whose accounts it checks."""

from pathlib import Path

import pytest

from benchmarks.scale import STAGES, measure, png
from pipeline.images import decode


def test_every_number_is_another_picture_of_some_hundred_bytes() -> None:
    assert len({png(number) for number in range(50)}) == 50
    assert decode(png(7)).size == (32, 32) and len(png(7)) < 400


@pytest.mark.long
def test_three_jobs_are_measured(tmp_path: Path) -> None:
    found = measure(3_000, tmp_path)
    assert found["rows"] == 3_000 and found["rows_a_part"] >= 100
    assert set(found["seconds_a_million"]) == set(found["processor_a_million"]) == set(STAGES)
    assert found["driver_own_mb"] > 50 and found["driver_mapped_mb"] > 50
    assert sum(found["processor_a_million"].values()) > 0
