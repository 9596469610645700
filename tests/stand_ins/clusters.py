"""A cluster whose nodes may be killed: of stand-ins, or a live one that the environment names."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from qdrant_client import QdrantClient, models

from pipeline.store.server import ServerStore
from tests.stand_ins.qdrant import QdrantStandIn

__all__ = ["KillableCluster", "forget", "killable_cluster", "live_address"]

_BACK_SECONDS = 120  # until a live node that was started again has caught up


class KillableCluster(Protocol):
    """Three nodes or more, of which one is killed and started."""

    url: str

    def kill(self) -> None: ...

    def revive(self) -> None: ...


class _StandIns:
    def __init__(self, server: QdrantStandIn, peer: int) -> None:
        self.server, self.peer, self.url = server, peer, server.url

    def kill(self) -> None:
        self.server.kill(self.peer)

    def revive(self) -> None:
        self.server.revive(self.peer)


class _Live:
    """`SIMILE_TEST_QDRANT_KILL` is a command that kills a node, `SIMILE_TEST_QDRANT_START` starts it.

    Without the second, whatever runs the nodes is expected to start the one that was killed.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def kill(self) -> None:
        subprocess.run(shlex.split(os.environ["SIMILE_TEST_QDRANT_KILL"]), check=True, capture_output=True)

    def revive(self) -> None:
        if start := os.environ.get("SIMILE_TEST_QDRANT_START"):
            subprocess.run(shlex.split(start), check=True, capture_output=True)
        deadline = time.monotonic() + _BACK_SECONDS
        while not all(map(self._is_back, self.url.split(","))):
            assert time.monotonic() < deadline, "the node that was killed is not back"
            time.sleep(1)

    def _is_back(self, address: str) -> bool:
        client = QdrantClient(
            url=address, api_key=os.environ.get("QDRANT_API_KEY"), timeout=2, check_compatibility=False
        )
        try:
            client.get_collections()
        except Exception:  # whatever a node says that is not there yet
            return False
        return True


def live_address() -> str | None:
    """Of the live server that tests may write to."""
    return os.environ.get("SIMILE_TEST_QDRANT_URL")


@contextmanager
def killable_cluster(live: bool, peer: int = 2) -> Iterator[KillableCluster]:
    """The live cluster, or one of three stand-ins of which `peer` is the one that is killed."""
    if live:
        url = live_address()
        assert url and os.environ.get("SIMILE_TEST_QDRANT_KILL")
        yield _Live(url)
        return
    with QdrantStandIn(peers=3) as server:
        yield _StandIns(server, peer)


def forget(store: ServerStore, alias: str) -> None:
    """Remove an alias and all versions of it, as no test leaves anything on a live server."""
    if alias in store.aliases():
        gone = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
        store.servers.change(QdrantClient.update_collection_aliases, [gone])
    for version in store.versions(alias):
        store.drop(version)
