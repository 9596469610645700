"""The short version of `make chaos`: every way to break a job, once."""

import pytest

from tests.chaos.__main__ import break_jobs
from tests.chaos.scenarios import SCENARIOS


@pytest.mark.timeout(900)
def test_nothing_is_lost_whatever_breaks() -> None:
    outcomes = break_jobs(runs=len(SCENARIOS), seed=1)
    assert len(outcomes) == len(SCENARIOS)
    assert [outcome for outcome in outcomes if not outcome.clean] == []
    assert sum(outcome.faults for outcome in outcomes) >= len(SCENARIOS)
