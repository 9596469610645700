"""Ways to break a job whose home is a bucket: an object store that fails, and machines with wrong clocks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.jobs import Outcome, Place, settle, wait_for
from tests.stand_ins.qdrant import QdrantStandIn
from tests.stand_ins.s3 import S3StandIn, serve_s3

__all__ = ["ON_A_BUCKET"]

_HOURS = 3600.0


@contextmanager
def _bucket_of(place: Place) -> Iterator[tuple[S3StandIn, QdrantStandIn]]:
    """The home of `place` in a bucket, and a server for its points."""
    with S3StandIn() as objects, QdrantStandIn() as server, pytest.MonkeyPatch.context() as patch:
        place.bucket, place.url = f"{serve_s3(objects, patch)}/{place.folder.name}", server.url
        yield objects, server


def bad_bucket(place: Place) -> Outcome:
    """One request in eight fails, seems to fail and is carried out, or is slow; the driver is killed too."""
    outcome = Outcome("bad bucket")
    with _bucket_of(place) as (objects, _):

        def fault(method: str, path: str) -> str | None:
            if place.folder.name not in path or place.random.random() > 1 / 8:
                return None
            outcome.faults += 1
            return place.random.choice(["before", "after", "slow"])

        objects.fault = fault
        job = place.start()
        if wait_for(lambda: bool(place.staged()), job):
            outcome.faults += 1
            outcome.killed += 1
            job.kill()
        job.communicate()
        account = place.finish(place.start())
        objects.fault = lambda method, path: None
        return settle(place, outcome, account)


def wrong_clocks(place: Place) -> Outcome:
    """Two machines whose clocks are four hours apart: one writer at a time, and who is dead is found dead."""
    outcome = Outcome("wrong clocks")
    place.environment["SIMILE_STORE_PATIENCE"] = "600"
    with _bucket_of(place) as (_, server):
        # The first job stays at its load until it is killed.
        server.fault = lambda method, path: "stall" if method == "PUT" and "chaos__2" in path else None
        late = place.start(skew=2 * _HOURS)
        assert wait_for(lambda: bool(place.staged()), late), late.communicate()[1][-2000:]
        said = place.fail(place.start(skew=-2 * _HOURS))
        assert "Another job is writing 'chaos'" in said, said
        outcome.faults += 2
        outcome.killed += late.poll() is None
        late.kill()
        late.communicate()
        server.fault = lambda method, path: None
        began = time.monotonic()
        account = place.finish(place.start(skew=-2 * _HOURS))
        assert time.monotonic() - began < 10 * 60, "the next job waited for a clock"
        return settle(place, outcome, account)


ON_A_BUCKET: list[Callable[[Place], Outcome]] = [bad_bucket, wrong_clocks]
