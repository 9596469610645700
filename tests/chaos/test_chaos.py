"""The short schedule of `make chaos`: one way to break a job of each family."""

import pytest

from tests.chaos.__main__ import break_jobs
from tests.chaos.scenarios import SHORT


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_nothing_is_lost_whatever_breaks() -> None:
    outcomes = break_jobs(SHORT, seed=1)
    assert len(outcomes) == len(SHORT)
    assert [outcome for outcome in outcomes if not outcome.clean] == []
    # A job may end before its process is killed. All others always meet their faults.
    assert all(outcome.faults for outcome in outcomes[2:])
