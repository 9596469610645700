"""The job on clusters of three and two nodes, against a server; nodes and actors die under it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
import ray
from ray.cluster_utils import Cluster

from pipeline import open_collection
from pipeline.cluster.actors import Actors
from pipeline.cluster.tasks import in_free_tasks
from pipeline.config import CollectionConfig
from pipeline.errors import SimileError
from pipeline.indexing.account import Account
from pipeline.indexing.job import index_collection
from pipeline.indexing.preflight import IndexJob, preflight
from pipeline.sources import resolve_source
from ray_jobs.session import ray_session
from tests.indexing.conftest import ENCODER
from tests.sources.conftest import put, refusal
from tests.sources.test_spreading import shards, tars
from tests.sources.test_webdataset import tar
from tests.stand_ins.qdrant import QdrantStandIn

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.long

ROWS = 600  # forty units: every actor gets some
NODES = 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head and two more nodes, all on this machine, and this process connected to it."""
    ray.shutdown()  # what other modules share
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_health_check_period_ms", "1000")  # a dead node is noticed in 3 seconds, not 15
    patch.setenv("RAY_health_check_failure_threshold", "3")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        for _ in range(NODES - 1):
            made.add_node(num_cpus=2)
        made.wait_for_nodes()
        patch.setenv("RAY_ADDRESS", made.address)
        with ray_session():
            # So few rows are done before the last actor has loaded its network, if nobody waits for it.
            ray.data.DataContext.get_current().wait_for_min_actors_s = 120
            yield made
    finally:
        patch.undo()
        made.shutdown()


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that every node has several of them, and there is something to interrupt."""
    monkeypatch.setattr("pipeline.sources.units.LEAST_ROWS", 15)
    monkeypatch.setattr("pipeline.sources.units._UNITS", 100)  # a source of 2,000 rows keeps that size
    monkeypatch.setattr("pipeline.sources.parquet_rows._MOST_RANGES", 100)
    monkeypatch.setattr("pipeline.index_quality.recall.QUERIES", 50)  # the stand-in is slow


def index(collection: str, home: Path, url: str | None, actors: int = NODES) -> Account:
    settings: dict[str, Any] = {
        "collection": collection,
        "source": str(ROOT / "samples" / "cifar10"),
        # Four times the pixels: reading must not be slower than the networks, or an actor has nothing to do.
        "encoders": [{"name": "weights:cifar10-cnn@64px", "vector": "cnn"}],
        "projection": {"dimension": 32},
    }
    config = CollectionConfig.model_validate(settings)
    job = IndexJob(config, str(home), url, limit=ROWS, actors=Actors(actors))
    return index_collection(job, preflight(job))


def when_staging(home: Path, act: Callable[[], object]) -> threading.Thread:
    """Do something as soon as the first vectors are staged."""

    def wait() -> None:
        while not list(home.glob("staging/*/*/*.parquet")):
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def embedder_processes() -> list[psutil.Process]:
    """Workers of this cluster that hold a network."""
    return [p for p in psutil.Process().children(recursive=True) if "EmbedActor" in " ".join(p.cmdline())]


@contextmanager
def nodes_at_work(*names: str) -> Iterator[dict[str, set[int]]]:
    """Name of a task or actor -> the nodes (process ids of their raylets) that were seen to work on it."""
    seen: dict[str, set[int]] = {name: set() for name in names}
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(0.05):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    line = " ".join(process.cmdline())
                    for name in names:
                        if name in line:
                            seen[name].add(process.ppid())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stopped.set()
        thread.join()


def assert_nothing_lost(account: Account, collection: str, home: Path, url: str) -> None:
    assert account.source == ROWS
    assert account.balanced
    assert open_collection(collection, url=url).count == account.written
    staged = [
        point
        for part in home.glob(f"staging/{collection}/parts/*.parquet")
        for point in pq.read_table(part, columns=["id"])["id"].to_pylist()
    ]
    assert len(staged) == len(set(staged)) == account.written  # nothing embedded and kept twice


def concurrent_writes(server: QdrantStandIn) -> list[int]:
    """How many writes of points were under way when each of them came in."""
    under_way, at_once, lock = [0], [0], threading.Lock()

    def slowly(method: str, path: str) -> None:
        if method == "PUT" and path.endswith("/points") and "preflight" not in path:
            with lock:
                under_way[0] += 1
                at_once.append(under_way[0])
            time.sleep(0.3)
            with lock:
                under_way[0] -= 1

    server.fault = slowly
    return at_once


def test_the_embedded_store_is_refused_on_several_nodes(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(SimileError, match=r"has 3 nodes and the embedded store is a folder.*set QDRANT_URL"):
        index("one", tmp_path, None)


def test_every_node_embeds_and_several_write_and_check(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.indexing.load._ROWS_A_WRITER", 300)  # three writers
    monkeypatch.setattr("pipeline.indexing.unit_points.BATCH", 50)
    monkeypatch.setattr("pipeline.indexing.check._UNITS_A_TASK", 4)
    with QdrantStandIn() as server, nodes_at_work("MapBatches(_Writer)", "MapBatches(_work)") as seen:
        at_once = concurrent_writes(server)
        account = index("two", tmp_path, server.url)
        assert_nothing_lost(account, "two", tmp_path, server.url)
    assert len({actor.node for actor in account.actors.values()}) == NODES
    assert max(at_once) >= 2
    writing, checking = seen.values()
    assert len(writing) >= 2 and len(checking) >= 2


def on_a_node(files: Sequence[str], *, work: Callable[[Sequence[str]], Any]) -> tuple[str, Any]:
    """The node that this runs on, and what it finds; it takes its time, so that no node does all of it."""
    time.sleep(0.3)
    return ray.get_runtime_context().get_node_id(), work(files)


@pytest.mark.parametrize("write", [shards, tars])
def test_every_node_plans(
    write: Callable[[Path], Path], cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("footers._FOOTERS", "webdataset._TARS"):
        monkeypatch.setattr(f"pipeline.sources.{name}_HERE", 0)
        monkeypatch.setattr(f"pipeline.sources.{name}_A_TASK", 1)
    root, nodes = write(tmp_path, 24), set()

    def spread(work: Callable[[Sequence[str]], Any], each: Sequence[Sequence[str]]) -> Iterator[Any]:
        for node, found in in_free_tasks(partial(on_a_node, work=work), each):
            nodes.add(node)
            yield found

    source = resolve_source(str(root), spread=spread)
    assert len(nodes) == NODES
    here = resolve_source(str(root))
    assert (source.groups, source.table, source.rows) == (here.groups, here.table, 24)
    damaged = sorted(path for path in root.rglob("*") if path.is_file())[9]
    if write is shards:
        put(damaged, b"PAR1 no more")
        assert refusal(root, spread=in_free_tasks) == refusal(root)
    else:
        put(damaged, b"hello" * 500)
        faults = resolve_source(str(root), spread=in_free_tasks).faults
        assert faults == resolve_source(str(root)).faults and len(faults) == 1


def test_a_job_that_is_submitted_looks_into_many_tars_by_the_cluster(
    cluster: Cluster, tmp_path: Path
) -> None:
    root, home = tars(tmp_path, 40), tmp_path / "home"
    config = put(
        tmp_path / "shades.yaml",
        f"collection: shades\nsource: {root}\nencoders: [{{name: '{ENCODER}', vector: cnn}}]\n"
        "projection: {dimension: 16}\n".encode(),
    )
    command = [sys.executable, "-m", "ray_jobs.index", str(config), "--home", str(home)]
    said = []
    with QdrantStandIn() as server:
        for _ in range(2):
            env = os.environ | {"QDRANT_URL": server.url}
            job = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
            assert job.returncode == 0, job.stderr[-2000:]
            said.append((json.loads(job.stdout.splitlines()[-1])["source"], "all nodes" in job.stderr))
            tar(root / "40.tar", {"0.png": (root / "0.tar").read_bytes()[512:1024]})
    assert said == [(40, True), (41, False)]  # of the second job one tar is new
    assert len(list((home / "tars/shades").iterdir())) == 41


def test_an_actor_and_a_node_die_and_the_account_adds_up(cluster: Cluster, tmp_path: Path) -> None:
    doomed = next(node for node in cluster.worker_nodes)

    def strike() -> None:
        victims = embedder_processes()
        assert victims
        os.kill(victims[0].pid, signal.SIGKILL)
        cluster.remove_node(doomed, allow_graceful=False)

    with QdrantStandIn() as server:
        striker = when_staging(tmp_path, strike)
        account = index("three", tmp_path, server.url)
        striker.join(60)
        assert not striker.is_alive()
        assert_nothing_lost(account, "three", tmp_path, server.url)
        # Two nodes are left; both embed.
        after = index("four", tmp_path, server.url, actors=2)
        assert_nothing_lost(after, "four", tmp_path, server.url)
        assert len({actor.node for actor in after.actors.values()}) == 2
