"""Shards and replicas of the stand-in's collections, over peers of which some may be dead."""

import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.stand_ins.qdrant_refusals import Refusal

__all__ = ["Shards"]

FIRST_PEER = 1001


@dataclass
class Shards:
    """Where the replicas of each collection are, and in which state.

    Attributes:
        uris: of the peers; peer number 0 has the id 1001.
        dead: numbers of peers that do not answer.
        placed: collection -> for each shard, peer number -> state of the replica there.
    """

    uris: list[str]
    dead: set[int] = field(default_factory=set)
    placed: dict[str, list[dict[int, str]]] = field(default_factory=dict)
    _next: Any = field(default_factory=itertools.count)

    def place(self, name: str, shards: int | None, replicas: int | None) -> None:
        """Spread replicas over all peers, as Qdrant does: also over those that are dead."""
        peers = len(self.uris)
        self.placed[name] = [
            {
                at % peers: "Initializing" if at % peers in self.dead else "Active"
                for at in range(first, first + min(replicas or 1, peers))
            }
            for first in itertools.islice(self._next, shards or peers)
        ]

    def replicate(self, name: str, shard: int, to_peer: int) -> None:
        """Give a shard a further replica.

        Raises:
            Refusal: that peer has one.
        """
        if to_peer - FIRST_PEER in self.placed[name][shard]:
            raise Refusal(400, f"Wrong input: Shard {shard} is already replicated to peer {to_peer}")
        self.placed[name][shard][to_peer - FIRST_PEER] = "Active"

    def revive(self, peer: int) -> None:
        """A peer that is back makes its replicas whole again."""
        self.dead.discard(peer)
        for shards in self.placed.values():
            for replicas in shards:
                if peer in replicas:
                    replicas[peer] = "Active"

    def of_point(self, name: str, point: Any) -> int:
        """The shard that holds a point."""
        number = point if isinstance(point, int) else uuid.UUID(str(point)).int
        return number % len(self.placed[name])

    def answering(self, name: str) -> set[int]:
        """Shards with a replica that is active and whose peer lives."""
        return {
            shard
            for shard, replicas in enumerate(self.placed[name])
            if any(state == "Active" and peer not in self.dead for peer, state in replicas.items())
        }

    def check_read(self, name: str, kind: str) -> None:
        """A read that needs all shards.

        Raises:
            Refusal: a shard has no replica that answers. Counting and scrolling leave such a shard out
                without a word when it has never been active, and a query then closes the connection.
        """
        missing = set(range(len(self.placed[name]))) - self.answering(name)
        never = all("Active" not in self.placed[name][shard].values() for shard in missing)
        if not missing or (never and kind in ("count", "scroll")):
            return
        if never and kind == "query":
            raise Refusal(0, "Input is rectangular")
        raise Refusal(
            500,
            f"Service internal error: The replica set for shard {min(missing)} on peer {FIRST_PEER} has no "
            "active replica",
        )

    def after_write(self, name: str) -> None:
        """Replicas on dead peers are marked, and a shard without any other makes the write fail.

        Raises:
            Refusal: what the shards that are there took stays written.
        """
        answering = self.answering(name)
        failed = [shard for shard in range(len(self.placed[name])) if shard not in answering]
        for shard in answering:
            for peer in self.dead & self.placed[name][shard].keys():
                self.placed[name][shard][peer] = "Dead"
        if failed:
            peer = next(iter(self.placed[name][failed[0]]))
            raise Refusal(
                500,
                f"Service internal error: {len(failed)} out of {len(self.placed[name])} shards failed to "
                f"apply operation. First error captured: Service internal error: Failed to connect to "
                f"{self.uris[peer]}, error: transport error",
            )

    def cluster(self, name: str, asked: int) -> dict[str, Any]:
        """What `GET /collections/NAME/cluster` answers on peer number `asked`."""
        local, remote = [], []
        for shard, replicas in enumerate(self.placed[name]):
            for peer, state in replicas.items():
                if peer == asked:
                    local.append({"shard_id": shard, "points_count": 0, "state": state})
                else:
                    remote.append({"shard_id": shard, "peer_id": peer + FIRST_PEER, "state": state})
        return {
            "peer_id": asked + FIRST_PEER,
            "shard_count": len(self.placed[name]),
            "local_shards": local,
            "remote_shards": remote,
            "shard_transfers": [],
        }

    def status(self, asked: int) -> dict[str, Any]:
        """What `GET /cluster` answers on peer number `asked`."""
        if len(self.uris) == 1:
            return {"status": "disabled"}
        return {
            "status": "enabled",
            "peer_id": asked + FIRST_PEER,
            "peers": {str(FIRST_PEER + at): {"uri": uri} for at, uri in enumerate(self.uris)},
            "raft_info": {"term": 1, "commit": 1, "pending_operations": 0, "is_voter": True},
            "consensus_thread_status": {
                "consensus_thread_status": "working",
                "last_update": "2026-01-01T00:00:00Z",
            },
            "message_send_failures": {
                self.uris[peer]: {"count": 3, "latest_error": "transport error"} for peer in self.dead
            },
        }
