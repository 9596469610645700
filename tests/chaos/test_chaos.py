"""The short version of `make chaos`: as many ways to break a job as three minutes hold."""

import pytest

from tests.chaos.__main__ import break_jobs
from tests.chaos.scenarios import SCENARIOS

SECONDS, FEWEST = 100, 2  # no new run is begun after; the busiest machine still manages so many


@pytest.mark.timeout(900)
def test_nothing_is_lost_whatever_breaks() -> None:
    outcomes = break_jobs(runs=len(SCENARIOS), seed=1, seconds=SECONDS)
    assert len(outcomes) >= FEWEST
    assert [outcome for outcome in outcomes if not outcome.clean] == []
    assert sum(outcome.faults for outcome in outcomes) >= len(outcomes)
