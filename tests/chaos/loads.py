"""Ways to break a job while it loads: the driver dies between two markers, or a writer at any moment."""

import signal
import threading
import time
from collections.abc import Set

from pipeline.staging.parts import Parts
from tests.chaos.dying import HALF_LOADED, MARKED
from tests.chaos.jobs import JOB_SECONDS, Outcome, Place, kill_worker, settle, wait_for, wait_for_end
from tests.stand_ins.qdrant import QdrantStandIn

__all__ = ["half_loaded", "is_load", "writer"]


def half_loaded(place: Place) -> Outcome:
    """kill -9 of the driver between two load markers, of both stores: what is marked is not written again."""
    outcome = Outcome("half loaded")
    job = place.start(dies_in=HALF_LOADED)
    _, said = job.communicate(timeout=JOB_SECONDS)
    assert job.returncode == -signal.SIGKILL, said[-3000:]
    outcome.faults += 1
    there = _points_of(place, place.marked())
    account = place.finish(place.start())
    assert account["stages"]["load"]["rows"] == account["written"] - there < account["written"], account
    settle(place, outcome, account)
    with QdrantStandIn() as server:  # from the same parts
        place.url = server.url
        server.fault = lambda method, path: (
            "stall" if is_load(method, path) and len(place.marked()) >= MARKED else None
        )
        job = place.start()
        assert wait_for(lambda: len(place.marked()) >= MARKED, job), job.communicate()[1][-3000:]
        job.kill()
        job.communicate()
        outcome.faults += 1
        wait_for_end("_Writer")
        before, there = _loaded(server), _points_of(place, place.marked())
        server.fault = lambda method, path: None
        account = place.finish(place.start())
        assert _loaded(server) - before == account["written"] - there < account["written"], account
        return settle(place, outcome, account)


def _loaded(server: QdrantStandIn) -> int:
    """Points that were written to versions, those that were written again included."""
    return sum(count for name, count in server.upserted.items() if "chaos__2" in name)


def _points_of(place: Place, units: Set[str]) -> int:
    assert len(units) == MARKED, units
    parts = Parts(place.address, "chaos")
    return sum(parts.read(unit, ["width"])["width"].is_valid().to_numpy().sum() for unit in units)


def writer(place: Place) -> Outcome:
    """kill -9 of an actor that writes to a server, at a random moment of the load."""
    outcome = Outcome("writer")
    place.limit = None
    with QdrantStandIn() as server:
        place.url = server.url
        loading = threading.Event()
        server.fault = lambda method, path: loading.set() if is_load(method, path) else None  # type: ignore[func-returns-value]
        job = place.start()
        if wait_for(loading.is_set, job):
            time.sleep(place.random.uniform(0, 0.3))
            outcome.faults += kill_worker(job, "_Writer")
        return settle(place, outcome, place.finish(job))


def is_load(method: str, path: str) -> bool:
    """Whether a request writes points to a version."""
    return method == "PUT" and path.endswith("/points") and "chaos__2" in path
