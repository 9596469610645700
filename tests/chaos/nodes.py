"""Ways to break a job by killing a node of its Qdrant cluster: the live one, or three stand-ins."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.store.server import ServerStore
from pipeline.store.versions import builds
from tests.chaos.jobs import Outcome, Place, settle, wait_for
from tests.stand_ins.clusters import KillableCluster, forget, killable_cluster, live_address

__all__ = ["ON_A_CLUSTER"]

_SETTINGS = ("QDRANT_API_KEY", "QDRANT_GRPC_PORT")  # of the live cluster; tests keep them under another name


@contextmanager
def _cluster_of(place: Place) -> Iterator[tuple[KillableCluster, ServerStore]]:
    """Where the job of `place` writes, six shards with two replicas each; without what earlier runs left."""
    live = bool(live_address() and os.environ.get("SIMILE_TEST_QDRANT_KILL"))
    for name in _SETTINGS:
        if live and (value := os.environ.get(f"SIMILE_TEST_{name}")):
            place.environment[name] = os.environ[name] = value
    with killable_cluster(live, place.random.randrange(3)) as cluster:
        place.url, place.shards, place.replicas = cluster.url, 6, 2
        store = ServerStore(cluster.url, os.environ.get("QDRANT_API_KEY"))
        forget(store, "chaos")
        try:
            yield cluster, store
        finally:
            forget(store, "chaos")


def node_dies(place: Place) -> Outcome:
    """A node is killed while points are written; it is back when the account is read, and holds its part."""
    outcome = Outcome("node dies")
    place.limit = None
    with _cluster_of(place) as (cluster, store):
        job = place.start()
        if wait_for(lambda: _loading(store), job):
            time.sleep(place.random.uniform(0, 0.5))
            cluster.kill()
            outcome.faults += 1
        account = place.finish(job)
        if outcome.faults:
            cluster.revive()
        return settle(place, outcome, account)


def _loading(store: ServerStore) -> bool:
    return any(store.count(version) for version in builds(store, "chaos"))


def node_is_dead(place: Place) -> Outcome:
    """A job begins and ends while a node is down, and so does a second one, which has little to do."""
    outcome = Outcome("node is dead")
    with _cluster_of(place) as (cluster, _):
        cluster.kill()
        outcome.faults += 1
        place.finish(place.start())
        place.credit = "somebody"
        account = place.finish(place.start())
        cluster.revive()
        return settle(place, outcome, account)


ON_A_CLUSTER: list[Callable[[Place], Outcome]] = [node_dies, node_is_dead]
