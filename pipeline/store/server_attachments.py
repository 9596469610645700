"""What is too long for a collection's own metadata: kept in one collection of all versions of a server.

`simile_attachments` has one shard, so that a look-up asks one node, and as many replicas as the most
replicated version. Points are found by their ids alone, which strict mode always allows.
"""

import base64
import hashlib
import logging
import uuid
from typing import Any

from pydantic import BaseModel
from qdrant_client import QdrantClient, models

from pipeline.store.server_collections import look_at, make_collection, replica_states, wait_for_shards
from pipeline.store.server_errors import ServerError
from pipeline.store.servers import Servers

__all__ = ["ATTACHMENTS", "Attachments", "Kept"]

ATTACHMENTS = "simile_attachments"
PIECE_BYTES = 8 * 2**20  # 11 MB as base64; a server takes bodies of 32 MiB

log = logging.getLogger("simile")


class Kept(BaseModel):
    """Where the bytes of an attachment are: their number and digest give the ids of its points."""

    bytes: int
    sha256: str

    def ids(self, version: str, name: str) -> list[str]:
        """Of the points, in order. The digest is in them, so that new bytes never mix with those before."""
        pieces = range(max(1, -(-self.bytes // PIECE_BYTES)))
        named = (f"simile/{version}/{name}/{self.sha256}/{piece}" for piece in pieces)
        return [str(uuid.uuid5(uuid.NAMESPACE_URL, text)) for text in named]


class Attachments:
    """The bytes beside the versions of a server."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._replicas = 0  # that the collection is known to have

    def put(self, version: str, name: str, data: bytes, replicas: int) -> Kept:
        """Keep bytes; they count from the moment that the version's metadata names them.

        Args:
            version, name: whose they are.
            data: any number of bytes.
            replicas: of the version.
        """
        self.prepare(replicas)
        kept = Kept(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        for piece, point in enumerate(kept.ids(version, name)):
            part = data[piece * PIECE_BYTES : (piece + 1) * PIECE_BYTES]
            payload = {
                "version": version,
                "name": name,
                "piece": piece,
                "data": base64.b64encode(part).decode(),
            }
            struct = models.PointStruct(id=point, vector=[0.0], payload=payload)
            self._servers.ask(QdrantClient.upsert, ATTACHMENTS, [struct], wait=True)
        return kept

    def get(self, version: str, name: str, kept: Kept) -> bytes | None:
        """The bytes; None if a piece is gone, as others were put in their place a moment ago."""
        parts = []
        for point in kept.ids(version, name):
            found = self._servers.ask(QdrantClient.retrieve, ATTACHMENTS, [point], with_payload=["data"])
            if not found:
                return None
            parts.append(base64.b64decode((found[0].payload or {})["data"]))
        return b"".join(parts)

    def forget(self, version: str, name: str, kept: Kept) -> None:
        """Remove the points of an attachment; those that are gone are no error."""
        selector = models.PointIdsList(points=list(kept.ids(version, name)))
        self._servers.ask(QdrantClient.delete, ATTACHMENTS, selector, wait=True)

    def prepare(self, replicas: int) -> None:
        """Make the collection, or give it more replicas where it has fewer than a version that is written."""
        if replicas <= self._replicas:
            return
        there = look_at(self._servers, ATTACHMENTS)
        if there is None:
            vectors = models.VectorParams(size=1, distance=models.Distance.DOT)  # never searched
            make_collection(self._servers, ATTACHMENTS, vectors, shard_number=1, replication_factor=replicas)
        if there is not None and replicas > 1:
            self._replicate(replicas)
        wait_for_shards(self._servers, ATTACHMENTS)
        self._replicas = replicas

    def _replicate(self, replicas: int) -> None:
        """Copy shards to further nodes; `replication_factor` alone says only what new shards get."""
        cluster = self._servers.ask(QdrantClient.collection_cluster_info, ATTACHMENTS)
        peers = self._peers()
        for shard, states in replica_states(cluster).items():
            active = [peer for peer, state in states.items() if state == models.ReplicaState.ACTIVE]
            free = [peer for peer in peers if peer not in states]
            wanted = free[: max(0, min(replicas, len(peers)) - len(states))]
            if not (active and wanted):
                continue
            for peer in wanted:
                self._copy(models.ReplicateShard(shard_id=shard, from_peer_id=active[0], to_peer_id=peer))
        factor = models.CollectionParamsDiff(replication_factor=replicas)
        self._servers.change(QdrantClient.update_collection, ATTACHMENTS, collection_params=factor)

    def _copy(self, move: models.ReplicateShard) -> None:
        operation = models.ReplicateShardOperation(replicate_shard=move)
        try:
            self._servers.change(QdrantClient.cluster_collection_update, ATTACHMENTS, operation)
        except ServerError as error:
            if error.failure.kind not in ("refused", "exists"):
                raise
            # Another job copies it just now, or the answer to the first attempt was lost.
            log.warning("%s gets no further replica now: %s", ATTACHMENTS, error)

    def _peers(self) -> list[int]:
        """Ids of the cluster's nodes that are not known to be down; none where the server is no cluster."""
        status: Any = self._servers.ask(QdrantClient.cluster_status)
        if status.status != "enabled":
            return []
        down = status.message_send_failures
        return sorted(int(peer) for peer, about in status.peers.items() if about.uri not in down)
