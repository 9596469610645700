"""Break index jobs on purpose and count what is lost: python -m tests.chaos [--runs 32] [--seed 0]

With --cluster only what breaks nodes of a Qdrant cluster: of the one that SIMILE_TEST_QDRANT_URL names, with
SIMILE_TEST_QDRANT_KILL and SIMILE_TEST_QDRANT_START as commands; else of three stand-ins.
"""

import argparse
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ray.cluster_utils import Cluster

from tests.chaos.buckets import ON_A_BUCKET
from tests.chaos.jobs import Outcome, Place
from tests.chaos.nodes import ON_A_CLUSTER
from tests.chaos.scenarios import SCENARIOS, Scenario

__all__ = ["break_jobs", "main"]


@contextmanager
def _cluster() -> Iterator[None]:
    """A Ray that survives its drivers; jobs find it through RAY_ADDRESS."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    before = os.environ.get("RAY_ADDRESS")
    os.environ["RAY_ADDRESS"] = made.address
    try:
        yield
    finally:
        os.environ.pop("RAY_ADDRESS", None)
        if before:
            os.environ["RAY_ADDRESS"] = before
        made.shutdown()


def break_jobs(scenarios: Sequence[Scenario], seed: int, seconds: float | None = None) -> list[Outcome]:
    """Run scenarios in turn, each with its own seed; stop beginning new ones after `seconds`."""
    outcomes: list[Outcome] = []
    start = time.monotonic()
    with _cluster():
        for run, scenario in enumerate(scenarios):
            if seconds is not None and time.monotonic() - start > seconds:
                break
            chance = random.Random(f"{seed}/{run}")
            with tempfile.TemporaryDirectory(prefix="simile-chaos-") as folder:
                begun = time.monotonic()
                outcome = scenario(Place(Path(folder), chance))
            outcomes.append(outcome)
            took = time.monotonic() - begun
            print(f"run {run + 1:>3}  {took:>5.1f} s  {outcome}", file=sys.stderr, flush=True)
    return outcomes


def summary(outcomes: list[Outcome]) -> dict[str, int]:
    """Sums over runs."""
    names = ("faults", "lost", "duplicated", "twice", "failed_queries", "mixed_queries")
    return {"runs": len(outcomes)} | {name: sum(getattr(o, name) for o in outcomes) for name in names}


def main() -> None:
    """A table, and one JSON line; exits 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, help="begin no new run after this time")
    parser.add_argument("--cluster", action="store_true", help="only kill nodes of a Qdrant cluster")
    every = [scenario.__name__ for scenario in SCENARIOS + ON_A_BUCKET + ON_A_CLUSTER]
    parser.add_argument("--only", nargs="+", choices=every, help="only these ways to break a job")
    options = parser.parse_args()
    schedule = ON_A_CLUSTER if options.cluster else SCENARIOS + ON_A_BUCKET + ON_A_CLUSTER
    if options.only:
        schedule = [scenario for scenario in schedule if scenario.__name__ in options.only]
    scenarios = list(itertools.islice(itertools.cycle(schedule), options.runs))
    outcomes = break_jobs(scenarios, options.seed, options.seconds)
    sums = summary(outcomes)
    words = {
        "lost": "rows lost",
        "duplicated": "rows duplicated",
        "twice": "rows embedded twice beyond the units at work",
        "failed_queries": "queries failed during switches",
        "mixed_queries": "queries answered from two versions",
    }
    for name, value in sums.items():
        print(f"{value:>6}  {words.get(name, name)}", file=sys.stderr)
    print(json.dumps(sums))
    sys.exit(not all(outcome.clean for outcome in outcomes))


if __name__ == "__main__":
    main()
