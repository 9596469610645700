"""Collections of a server: made although somebody made them already, and whole or not."""

import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from qdrant_client import QdrantClient, models

from pipeline.errors import SimileError
from pipeline.store.server_errors import ServerError
from pipeline.store.servers import Servers

__all__ = ["dead_shards", "look_at", "make_collection", "replica_states", "wait_for_shards"]

_PAUSE_SECONDS = 0.5
_NOBODY = "00000000-0000-0000-0000-000000000000"  # an id that no point has

log = logging.getLogger("simile")

Vectors = models.VectorParams | Mapping[str, models.VectorParams]


def make_collection(servers: Servers, name: str, vectors: Vectors, **settings: Any) -> None:
    """Make a collection. One that is there with the same vectors is the one that was asked for.

    The answer to an earlier attempt may have been lost, or another job made it at the same moment.

    Args:
        servers: where.
        name: of the collection.
        vectors: as `QdrantClient.create_collection` takes them.
        settings: its further arguments.

    Raises:
        SimileError: there is one of this name with other vectors.
    """
    try:
        servers.change(QdrantClient.create_collection, name, vectors_config=vectors, **settings)
    except ServerError as error:
        if error.failure.kind != "exists":
            raise
        there = look_at(servers, name)
        if there is None or _shapes(there.config.params.vectors) != _shapes(vectors):
            raise SimileError(
                f"The Qdrant server at {servers.shown} has a collection '{name}' with other vectors; "
                "delete it, or choose another name."
            ) from error


def _shapes(vectors: Vectors | None) -> dict[str, tuple[int, models.Distance]]:
    """What no server changes of what was asked for: name -> components and distance."""
    named = {"": vectors} if isinstance(vectors, models.VectorParams) else dict(vectors or {})
    return {name: (params.size, params.distance) for name, params in named.items()}


def look_at(servers: Servers, name: str, patient: bool = True) -> models.CollectionInfo | None:
    """What a server says of a collection; None where there is none."""
    ask = servers.ask if patient else servers.ask_once
    try:
        return ask(QdrantClient.get_collection, name)
    except ServerError as error:
        if error.failure.kind != "absent":
            raise
        return None


def replica_states(cluster: models.CollectionClusterInfo) -> dict[int, dict[int, models.ReplicaState]]:
    """Shard -> peer -> state of the replica there."""
    states: dict[int, dict[int, models.ReplicaState]] = defaultdict(dict)
    for local in cluster.local_shards:
        states[local.shard_id][cluster.peer_id] = local.state
    for remote in cluster.remote_shards:
        states[remote.shard_id][remote.peer_id] = remote.state
    return dict(states)


def dead_shards(cluster: models.CollectionClusterInfo) -> dict[int, dict[int, models.ReplicaState]]:
    """The shards of which no replica is active, and so neither read nor written."""
    return {
        shard: replicas
        for shard, replicas in sorted(replica_states(cluster).items())
        if models.ReplicaState.ACTIVE not in replicas.values()
    }


def wait_for_shards(servers: Servers, name: str) -> None:
    """Return once each shard has a replica that is active, and each answers.

    A server leaves shards out of a count without an error as long as they have never been active.

    Raises:
        SimileError: some still have none when the patience ends; the sentence names them.
    """
    start, said = time.monotonic(), False
    while True:
        cluster = servers.ask(QdrantClient.collection_cluster_info, name)
        dead = dead_shards(cluster)
        if not dead:
            break
        if time.monotonic() - start >= servers.patience:
            raise SimileError(_sentence(servers, name, dead, cluster.shard_count))
        if not said:
            log.warning("waiting for %d of %d shards of '%s'", len(dead), cluster.shard_count, name)
            said = True
        time.sleep(min(_PAUSE_SECONDS, servers.patience))
    try:
        # A node that died a moment ago still counts as active; a read by id asks every shard.
        servers.ask(QdrantClient.retrieve, name, [_NOBODY], with_payload=False)
    except ServerError as error:
        if error.failure.kind != "temporary" or not error.failure.status:  # then nobody answers at all
            raise
        raise SimileError(
            f"A shard of '{name}' on the Qdrant server at {servers.shown} has no replica that answers; "
            f"start its node again, or set replication_factor to 2 or more: {error.failure.reason}."
        ) from error


def _sentence(
    servers: Servers, name: str, dead: Mapping[int, Mapping[int, models.ReplicaState]], count: int
) -> str:
    where = "; ".join(
        f"shard {shard}: {', '.join(f'{state.value} on peer {peer}' for peer, state in replicas.items())}"
        for shard, replicas in dead.items()
    )
    return (
        f"{len(dead)} of {count} shards of '{name}' on the Qdrant server at {servers.shown} have no active "
        f"replica ({where}); start those nodes again, or set replication_factor to 2 or more."
    )
