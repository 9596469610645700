"""The same job on a Ray cluster: submitted with a token, and with (logical) GPUs."""

import json
import shlex
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline import open_collection
from pipeline.locks.lock import job_records
from tests.stand_ins.ray_head import RAY, cluster_environment, ray_head, submit, wait_for_jobs

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A head node of its own with two logical GPUs, as `ray start` gives it."""
    variables = cluster_environment(
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN="t0ken-" + "x" * 32,
        RAY_API_SERVER_ADDRESS="http://127.0.0.1:8299",
        # So few rows are done before the second actor has loaded its network, if nobody waits for it.
        RAY_DATA_DEFAULT_WAIT_FOR_MIN_ACTORS_S="120",
    )
    variables.pop("SIMILE_HOME")  # the head knows nothing of it: each job is told, as the README says
    # Ports outside 10002 to 19999, which Ray gives its workers, and none that another Ray may hold.
    ports = ["--port=6399", "--dashboard-port=8299", "--dashboard-agent-listen-port=8298"]
    with ray_head(variables, *ports, "--num-cpus=4", "--num-gpus=2"):
        variables["SIMILE_HOME"] = str(tmp_path_factory.mktemp("home"))
        wait_for_jobs(variables)
        yield variables


def submitted(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    told = json.dumps({"env_vars": {"SIMILE_HOME": variables["SIMILE_HOME"]}})
    command = [RAY, "job", "submit", "--working-dir", ".", "--runtime-env-json", told]
    return submit(variables, [*command, "--", "python", "-m", "ray_jobs.index", *arguments])


def api(variables: dict[str, str], path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    """Ray's job API, which `ray job` speaks too after some seconds of starting."""
    request = urllib.request.Request(
        f"{variables['RAY_API_SERVER_ADDRESS']}/api/jobs/{path}",
        headers={"Authorization": f"Bearer {variables['RAY_AUTH_TOKEN']}"},
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def begin(variables: dict[str, str], name: str, *arguments: str) -> None:
    """Submit a job that reads the project where it lies."""
    line = shlex.join(["python", "-m", "ray_jobs.index", *arguments])
    api(variables, "", {"entrypoint": f"cd {shlex.quote(str(ROOT))} && {line}", "submission_id": name})


def ended(variables: dict[str, str], name: str) -> tuple[str, str]:
    """Wait for the end of a job: its status and all it printed."""
    deadline = time.monotonic() + 800
    while (status := api(variables, name)["status"]) in ("PENDING", "RUNNING"):
        assert time.monotonic() < deadline, "the job does not end"
        time.sleep(0.2)
    return status, api(variables, f"{name}/logs")["logs"]


def result_in(printed: str) -> dict[str, Any]:
    return next(json.loads(line) for line in printed.splitlines() if line.startswith('{"collection"'))


def test_a_stopped_job_goes_on_with_every_gpu_and_the_page_finds_its_result(cluster: dict[str, str]) -> None:
    home = Path(cluster["SIMILE_HOME"])
    rows = ["qdrant_config/cifar10.yaml", "--sample", "--limit", "1200"]
    rows += ["--encoder", "pypi:efficientnet-lite0@80px"]
    begin(cluster, "to-be-stopped", *rows, "--home", str(home))
    deadline = time.monotonic() + 600
    while not list(home.glob("staging/*/parts/*.parquet")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    api(cluster, "to-be-stopped/stop", {})
    status, printed = ended(cluster, "to-be-stopped")
    assert status == "STOPPED"
    assert "stopping after SIGTERM. What is staged stays; to go on from there: python -m ray_jobs" in printed
    assert job_records(str(home))["cifar10"].stopped  # in the three seconds that Ray gives a job
    staged = sum(pq.read_metadata(part).num_rows for part in home.glob("staging/*/parts/*.parquet"))
    assert 0 < staged < 1200
    run = submitted(cluster, *rows)
    assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]
    result = result_in(run.stdout)
    assert (result["embedded"], result["written"]) == (1200 - staged, 1200)
    assert len(result["actors"]) == 2  # one a GPU, and each of them worked
    assert all(actor["rows"] > 0 for actor in result["actors"])
    assert sum(actor["rows"] for actor in result["actors"]) == 1200 - staged  # their shards are disjoint
    assert open_collection("cifar10", home=str(home)).count == 1200


def test_without_the_token_the_cluster_refuses(cluster: dict[str, str]) -> None:
    run = submitted(
        cluster | {"RAY_AUTH_TOKEN": "wrong-" + "x" * 32}, "qdrant_config/cifar10.yaml", "--sample"
    )
    assert run.returncode != 0


def test_an_impossible_reservation_is_refused_at_once(cluster: dict[str, str]) -> None:
    rows = ["qdrant_config/cifar10.yaml", "--sample", "--actors", "3", "--gpus-per-actor", "1"]
    begin(cluster, "too-much", *rows)
    status, printed = ended(cluster, "too-much")
    assert status == "FAILED"
    assert "3 actors of 1 GPU need 3 GPUs and the cluster has 2" in printed
