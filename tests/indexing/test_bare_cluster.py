"""A Ray cluster that has none of Simile's packages: the documented command brings them with the job."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from pipeline import open_collection
from tests.docs.pages import DOCS, blocks
from tests.stand_ins.ray_head import cluster_environment, ray_head, submit, wait_for_jobs

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = "deploy/runtime-env.yaml"
ROWS = 40
# Installing Simile took 150 seconds on two cores; a machine that does other things as well takes longer.
SECONDS = 1500
pytestmark = [pytest.mark.long, pytest.mark.timeout(2 * SECONDS)]


@dataclass(frozen=True)
class Bare:
    """A virtual environment with nothing but `ray[default]`, and the cluster that runs from it."""

    python: str
    ray: str
    variables: dict[str, str]

    def packages(self) -> list[str]:
        """Names and versions, as pip lists them."""
        listed = [self.python, "-m", "pip", "list", "--format", "freeze"]
        return subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(scope="module")
def bare() -> Iterator[Bare]:
    with tempfile.TemporaryDirectory(prefix="bare-") as folder:  # pytest would keep its own for three runs
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        binaries = Path(folder) / "bin"
        python, ray = str(binaries / "python"), str(binaries / "ray")
        pip = [python, "-m", "pip", "--retries", "0"]
        asked = subprocess.run([*pip, "index", "versions", "ray"], capture_output=True, text=True)
        if asked.returncode:
            pytest.skip(f"no package index can be reached: {asked.stderr.strip()[-300:]}")
        # The versions that CI installs, so that no new release ends a run; the cluster's pip reads it, too.
        pinned = {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
        install = [*pip, "install", "-q", "--no-compile", "ray[default]"]
        subprocess.run(install, env={**os.environ, **pinned}, check=True)
        variables = cluster_environment(
            **pinned,
            PATH=f"{binaries}{os.pathsep}{os.environ['PATH']}",
            RAY_AUTH_MODE="token",
            RAY_AUTH_TOKEN="t0ken-" + "x" * 32,
            RAY_API_SERVER_ADDRESS="http://127.0.0.1:8279",
        )
        for name in ("SIMILE_HOME", "PYTHONPATH"):  # the job is told its home, and gets no package from here
            variables.pop(name, None)
        # Ports that no other cluster of these tests has, not even for its workers.
        ports = ["--port=6389", "--dashboard-port=8279", "--dashboard-agent-listen-port=8278"]
        ports += ["--ray-client-server-port=8277", "--min-worker-port=20000", "--max-worker-port=20999"]
        with ray_head(variables, *ports, "--num-cpus=2", ray=ray):
            wait_for_jobs(variables, ray)
            yield Bare(python, ray, variables)


def documented(bare: Bare, environment: Path) -> list[str]:
    """The command of docs/cluster.md, with this cluster's address and the user's own environment."""
    (command,) = (
        block.text
        for block in blocks(DOCS / "cluster.md", "bash")
        if f"--runtime-env {ENVIRONMENT}" in block.text
    )
    own = {
        "ray": bare.ray,
        "http://head:8265": bare.variables["RAY_API_SERVER_ADDRESS"],
        ENVIRONMENT: str(environment),
    }
    words = shlex.split(command.replace("\\\n", " "))
    assert set(own) <= set(words)
    return [own.get(word, word) for word in words]


def test_without_the_runtime_environment_a_sentence_says_what_is_missing(bare: Bare) -> None:
    job = ["python", "-m", "ray_jobs.index", "qdrant_config/wikiart.yaml", "--sample"]
    run = submit(bare.variables, [bare.ray, "job", "submit", "--working-dir", ".", "--", *job])
    printed = run.stdout + run.stderr
    assert run.returncode != 0
    assert "has no numpy, PIL, pyarrow, qdrant_client, tqdm; run in Simile's folder" in printed
    assert f"ray job submit --runtime-env {ENVIRONMENT}" in printed
    assert "ModuleNotFoundError" not in printed


def test_the_documented_command_indexes_a_collection(bare: Bare, tmp_path: Path) -> None:
    before = bare.packages()
    assert not {"numpy", "datasets", "qdrant-client", "torch"} & {line.partition("==")[0] for line in before}
    home = tmp_path / "home"
    settings = yaml.safe_load((ROOT / ENVIRONMENT).read_text())
    settings["env_vars"] = {"SIMILE_HOME": str(home)}
    environment = tmp_path / "runtime-env.yaml"
    environment.write_text(yaml.safe_dump(settings))
    command = [*documented(bare, environment), "--sample", "--limit", str(ROWS)]  # the source lies on the Hub
    run = submit(bare.variables, command, SECONDS)
    assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]
    (result,) = (json.loads(line) for line in run.stdout.splitlines() if line.startswith('{"collection"'))
    assert (result["collection"], result["embedded"], result["written"]) == ("wikiart", ROWS, ROWS)
    assert bare.packages() == before

    found = open_collection("wikiart", home=str(home))
    assert found.count == ROWS
    rows = pq.read_table(next((ROOT / "samples/wikiart").glob("**/*.parquet"))).to_pylist()[:ROWS]
    for metric in ("cosine", "hamming"):
        (hit, *_) = found.search(rows[7]["image"]["bytes"], metric, k=3)
        assert hit.places == ("data/train-00000-of-00001.parquet:7",)
