"""Whether the nodes of a cluster reach the store and the home of a job."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow.fs as pafs

from pipeline.errors import SimileError
from pipeline.home import filesystem, write_file
from pipeline.store import Store

__all__ = ["SHARE_IT", "check_cluster", "probe", "sees"]

SHARE_IT = (
    "use a shared folder or a URL such as s3://bucket/simile as --home, and give every node the keys for it."
)


@contextmanager
def probe(home: str) -> Iterator[str]:
    """A file in the home that every node must see; yields where it is, and it is gone after the block.

    A shared folder cannot be told from a folder of one machine in another way.
    """
    location = f"{home}/.reached-{uuid.uuid4().hex}"
    write_file(location, b"")
    files, path = filesystem(location)
    try:
        yield location
    finally:
        with suppress(OSError):  # an error of the job must not be hidden; the file is empty
            files.delete_file(path)


def sees(location: str) -> bool:
    """Whether this node sees the file of a `probe`; not if it has no keys for it."""
    try:
        files, path = filesystem(location)
        return bool(files.get_file_info(path).type == pafs.FileType.File)
    except (OSError, SimileError):  # no keys, no network
        return False


def check_cluster(home: str, store: Store) -> None:
    """Every node must reach the store and the home.

    Raises:
        SimileError: an embedded store on more than one node, or a home that is a folder of one of them.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    if len(nodes) < 2:
        return
    if not store.parallel_writes:
        raise SimileError(
            f"This Ray cluster has {len(nodes)} nodes and the embedded store is a folder of one machine; "
            "start a Qdrant server and set QDRANT_URL (and QDRANT_API_KEY)."
        )
    with probe(home) as location:
        look = ray.remote(num_cpus=0)(sees)
        here = (NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes)
        seen = _answers([look.options(scheduling_strategy=at).remote(location) for at in here])
    if not all(seen):
        raise SimileError(f"{seen.count(False)} of {len(seen)} nodes do not see the home {home}; {SHARE_IT}")


def _answers(looks: Sequence[Any]) -> list[bool]:
    """What the nodes answer; a node that an autoscaler or a cloud took away meanwhile does not count."""
    import ray
    from ray.exceptions import NodeDiedError, TaskUnschedulableError, WorkerCrashedError

    seen = []
    for look in looks:
        with suppress(NodeDiedError, TaskUnschedulableError, WorkerCrashedError):
            seen.append(ray.get(look))
    return seen
