"""The job on a cluster that has no GPU until somebody asks for one, and that loses a node again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID, FAKE_HEAD_NODE_TYPE

from pipeline import open_collection
from tests.stand_ins.qdrant import QdrantStandIn
from tests.stand_ins.ray_head import RAY, cluster_environment, ray_head

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.long
PORT = 6389
ROWS = 2000


def autoscaling_config() -> dict[str, Any]:
    """What `ray.cluster_utils.AutoscalingCluster` starts: nodes are processes of this machine.

    That class itself ends every other Ray of the machine first.
    """
    commands = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    lists = [f"{name}_commands" for name in commands]
    lists += ["cluster_synced_files", "rsync_exclude", "rsync_filter"]
    empty: dict[str, Any] = {name: {} for name in ("auth", "docker", "file_mounts")}
    return (
        empty
        | {name: [] for name in lists}
        | {
            "file_mounts_sync_continuously": False,
            "cluster_name": "elastic",
            "max_workers": 2,
            "upscaling_speed": 20,
            "idle_timeout_minutes": 1,
            "provider": {
                # By its module: what Ray looks up by its name is not in Ray's wheel.
                "type": "external",
                "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
                "gcs_address": f"127.0.0.1:{PORT}",
                "launch_multiple": True,
                "head_node_id": FAKE_HEAD_NODE_ID,
            },
            "head_node_type": FAKE_HEAD_NODE_TYPE,
            "available_node_types": {
                FAKE_HEAD_NODE_TYPE: {"resources": {"CPU": 2}, "node_config": {}, "max_workers": 0},
                "spot": {"resources": {"CPU": 2, "GPU": 1}, "node_config": {}, "max_workers": 2},
            },
        }
    )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """A head with two CPUs and no GPU, whose autoscaler has two nodes of one (logical) GPU to give."""
    variables = cluster_environment(
        RAY_AUTH_MODE="disabled",
        RAY_FAKE_CLUSTER="1",
        AUTOSCALER_UPDATE_INTERVAL_S="1",
        RAY_health_check_period_ms="1000",  # a dead node is noticed in 3 seconds, not 15
        RAY_health_check_failure_threshold="3",
        # Ray Data looks at how busy the cluster was for so long, and asks for nodes so often.
        RAY_DATA_CLUSTER_UTIL_AVG_WINDOW_S="2",
        RAY_DATA_MIN_GAP_BETWEEN_AUTOSCALING_REQUESTS="2",
    )
    config = tmp_path_factory.mktemp("elastic") / "autoscaling.json"
    config.write_text(json.dumps(autoscaling_config()))
    arguments = [f"--port={PORT}", "--dashboard-port=8289", "--dashboard-agent-listen-port=8288"]
    arguments += ["--num-cpus=2", f"--autoscaling-config={config}"]
    # The second autoscaler, which KubeRay uses, and what it takes a simulated head for.
    simulated = {
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
    }
    with ray_head(variables | simulated, *arguments) as head:
        variables["RAY_ADDRESS"] = f"127.0.0.1:{PORT}"
        status = [RAY, "status", "--address", variables["RAY_ADDRESS"]]
        until(lambda: not subprocess.run(status, env=variables, capture_output=True).returncode, 300)
        yield head, variables


def until(holds: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@contextmanager
def started(variables: dict[str, str], folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A job, which ends with the block at the latest."""
    path = folder / "elastic.yaml"
    encoder = {"name": "pypi:efficientnet-lite0@160px", "vector": "cnn"}
    settings = {"collection": "elastic", "source": str(ROOT / "samples" / "cifar10"), "encoders": [encoder]}
    path.write_text(json.dumps(settings | {"projection": {"dimension": 32}}))
    command = [sys.executable, "-m", "ray_jobs.index", str(path), "--home", str(folder / "home"), *arguments]
    job = subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield job
    finally:
        job.kill()
        job.wait()


def embedding(head: psutil.Process) -> list[psutil.Process]:
    """Workers with a network that are at work."""
    found = []
    for each in head.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            found += [each] if "EmbedActor" in " ".join(each.cmdline()) else []
    return found


def test_a_cluster_without_gpus_gives_them_and_may_lose_a_node(
    cluster: tuple[psutil.Process, dict[str, str]], tmp_path: Path
) -> None:
    head, variables = cluster
    wanted = ["--limit", str(ROWS), "--actors", "1:2", "--gpus-per-actor", "1"]
    with (
        QdrantStandIn() as server,
        started(variables | {"QDRANT_URL": server.url}, tmp_path, *wanted) as job,
    ):
        until(lambda: len(embedding(head)) == 2 or job.poll() is not None, 400)
        assert job.poll() is None, job.communicate()
        victim = embedding(head)[-1].parent()
        assert victim is not None and victim.name() == "raylet"
        os.kill(victim.pid, signal.SIGKILL)  # as a spot node goes
        out, said = job.communicate(timeout=600)
        assert job.returncode == 0, said[-3000:]
        assert "waiting for room for 1 actors of 1 CPUs and 1 GPUs: the cluster has 2 CPUs and 0 GPUs" in said
        result = json.loads(out.splitlines()[-1])  # Ray says before it that a node is gone
        assert (result["embedded"], result["written"]) == (ROWS, ROWS)
        assert len({actor["node"] for actor in result["actors"]}) >= 2  # both nodes, or one and its successor
        assert open_collection("elastic", url=server.url).count == ROWS


def test_what_the_cluster_can_never_give_ends_in_a_sentence(
    cluster: tuple[psutil.Process, dict[str, str]], tmp_path: Path
) -> None:
    _, variables = cluster
    wanted = ["--limit", "20", "--actors", "3", "--gpus-per-actor", "1"]
    with QdrantStandIn() as server:
        told = variables | {"QDRANT_URL": server.url}
        with started(told, tmp_path, *wanted) as job:
            assert "3 actors of 1 GPU need 3 GPUs" in job.communicate(timeout=120)[1]
        with started(told, tmp_path, *wanted, "--wait", "5") as job:
            said = job.communicate(timeout=120)[1]
        assert "The cluster had no room for 3 actors of 1 CPUs and 1 GPUs within 5 s" in said
        assert job.returncode == 1 and "Traceback" not in said
