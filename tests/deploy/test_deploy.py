"""deploy/: what a container or cluster would be told is well-formed, and fits this repository."""

import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from ray._private.ray_constants import DASHBOARD_CLIENT_MAX_SIZE
from ray._private.runtime_env.packaging import create_package
from ray.runtime_env import RuntimeEnv

import demo
from pipeline.config import load_config
from ray_jobs.index import parse_arguments

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
REQUIREMENTS = (ROOT / "requirements.txt").read_text()
# Every variable that the code reads from outside, and what Qdrant's image reads.
KNOWN_VARIABLES = {
    "HF_TOKEN", "MIMALLOC_PURGE_DELAY", "QDRANT_API_KEY", "QDRANT_GRPC_PORT", "QDRANT_URL", "SIMILE_AUTH",
    "SIMILE_HOME",
    "QDRANT__SERVICE__API_KEY", "QDRANT__SERVICE__READ_ONLY_API_KEY", "QDRANT__CLUSTER__ENABLED",
}  # fmt: skip


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text())


@pytest.fixture(scope="module")
def kubernetes() -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all((DEPLOY / "rayjob.yaml").read_text())
    return {document["kind"]: document for document in documents}


def docker_instructions(keyword: str) -> list[str]:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    return [line.removeprefix(keyword).strip() for line in lines if line.startswith(keyword + " ")]


def test_the_dockerfile_passes_its_linter() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    run = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_image_holds_everything_that_the_commands_need() -> None:
    copied = {argument for line in docker_instructions("COPY") for argument in line.split()[:-1]}
    for name in copied:
        assert (ROOT / name).exists(), name
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages | {"demo.py", "samples", "requirements.txt", "weights"} <= copied
    assert docker_instructions("USER") == ["1000"]
    assert docker_instructions("ENV") == ["SIMILE_HOME=/data", "MIMALLOC_PURGE_DELAY=10000"]


def test_the_image_starts_the_page() -> None:
    command = yaml.safe_load(docker_instructions("CMD")[0])
    assert command[:2] == ["python", "demo.py"]
    assert demo._parser().parse_args(command[2:]).host == "0.0.0.0"


def test_compose_names_what_exists(compose: dict[str, Any]) -> None:
    assert set(compose) == {"services", "volumes"}
    services = compose["services"]
    page = services["page"]
    assert (
        DEPLOY / page["build"]["context"] / page["build"]["dockerfile"]
    ).resolve() == DEPLOY / "Dockerfile"
    assert set(page["depends_on"]) <= set(services)
    assert page["environment"]["QDRANT_URL"] == "http://qdrant:6333"  # the service's name on its network
    for service in services.values():
        assert set(service["environment"]) <= KNOWN_VARIABLES
        for volume in service["volumes"]:
            assert volume.split(":")[0] in compose["volumes"]


def test_compose_serves_this_machine_only_and_asks_for_a_key(compose: dict[str, Any]) -> None:
    qdrant, page = compose["services"]["qdrant"], compose["services"]["page"]
    assert "ports" not in qdrant
    assert page["ports"] == ["127.0.0.1:7860:7860"]
    for name in ("QDRANT__SERVICE__API_KEY", "QDRANT__SERVICE__READ_ONLY_API_KEY"):
        assert ":?" in qdrant["environment"][name]  # compose stops when it is not set


def test_compose_gives_the_page_a_key_that_only_reads(compose: dict[str, Any]) -> None:
    qdrant, page, job = (compose["services"][name]["environment"] for name in ("qdrant", "page", "job"))
    assert page["QDRANT_API_KEY"] == qdrant["QDRANT__SERVICE__READ_ONLY_API_KEY"]
    assert job["QDRANT_API_KEY"] == qdrant["QDRANT__SERVICE__API_KEY"] != page["QDRANT_API_KEY"]
    assert job["QDRANT_URL"] == page["QDRANT_URL"]
    assert compose["services"]["job"]["profiles"] == ["job"]  # `up` starts the page alone
    assert compose["services"]["job"]["build"] == compose["services"]["page"]["build"]


def test_the_server_is_new_enough(compose: dict[str, Any]) -> None:
    version = re.fullmatch(r"qdrant/qdrant:v(\d+)\.(\d+)\.\d+", compose["services"]["qdrant"]["image"])
    assert version and (int(version[1]), int(version[2])) >= (1, 19)  # as pipeline/store/server.py needs


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "qdrant-cluster.yaml").read_text())


def test_the_cluster_has_three_nodes_of_one_version_that_find_each_other(
    cluster: dict[str, Any], compose: dict[str, Any]
) -> None:
    nodes = cluster["services"]
    assert set(cluster) == {"x-node", "services", "volumes"} and len(nodes) == 3
    first = next(iter(nodes))
    for name, node in nodes.items():
        assert node["image"] == compose["services"]["qdrant"]["image"]
        assert set(node["environment"]) <= KNOWN_VARIABLES
        assert node["environment"]["QDRANT__CLUSTER__ENABLED"] == "true"
        arguments = node["command"]
        assert arguments[arguments.index("--uri") + 1] == f"http://{name}:6335"
        found_by = arguments[arguments.index("--bootstrap") + 1] if "--bootstrap" in arguments else None
        assert found_by == (None if name == first else f"http://{first}:6335")
        assert all(volume.split(":")[0] in cluster["volumes"] for volume in node["volumes"])
    volumes = [volume for node in nodes.values() for volume in node["volumes"]]
    assert len(set(volumes)) == 3


def test_the_cluster_is_reached_where_the_docs_say(cluster: dict[str, Any]) -> None:
    rest, fast = [], []
    for node in cluster["services"].values():
        for port in node["ports"]:
            host, outside, inside = port.split(":")
            assert host == "127.0.0.1"
            {"6333": rest, "6334": fast}[inside].append(outside)
    page = (ROOT / "docs" / "cluster.md").read_text()
    assert f"SIMILE_TEST_QDRANT_URL={','.join(f'http://127.0.0.1:{port}' for port in rest)}" in page
    assert f"SIMILE_TEST_QDRANT_GRPC_PORT={','.join(fast)}" in page


def groups(job: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_kubernetes_knows_every_field(kubernetes: dict[str, dict[str, Any]]) -> None:
    version = kubernetes_validate.latest_version()
    kubernetes_validate.validate(kubernetes["PersistentVolumeClaim"], version, strict=True)
    for group in groups(kubernetes["RayJob"]):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "x"},
            "spec": group["template"]["spec"],
        }
        kubernetes_validate.validate(pod, version, strict=True)
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())  # KubeRay wants text


def test_the_rayjob_runs_a_command_of_this_repository(kubernetes: dict[str, dict[str, Any]]) -> None:
    job = kubernetes["RayJob"]
    assert job["apiVersion"] == "ray.io/v1"
    python, flag, module, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert (python, flag, module) == ("python", "-m", "ray_jobs.index")
    assert load_config(ROOT / parse_arguments(arguments).config).collection == "wikiart"
    required = re.search(r"^ray\[.*\]>=([\d.]+)", REQUIREMENTS, re.MULTILINE)
    assert required and job["spec"]["rayClusterSpec"]["rayVersion"].startswith(required[1])


def test_every_node_of_the_rayjob_sees_one_home(kubernetes: dict[str, dict[str, Any]]) -> None:
    claim = kubernetes["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for group in groups(kubernetes["RayJob"]):
        pod = group["template"]["spec"]
        container = pod["containers"][0]
        variables = {entry["name"]: entry for entry in container["env"]}
        assert set(variables) <= KNOWN_VARIABLES
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert variables["SIMILE_HOME"]["value"] == mounts["home"]
        claimed = volumes["home"]["persistentVolumeClaim"]["claimName"]
        assert claimed == claim["metadata"]["name"]
        assert "secretKeyRef" in variables["QDRANT_API_KEY"]["valueFrom"]  # never in the manifest itself


@pytest.fixture(scope="module")
def runtime_env() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "runtime-env.yaml").read_text())


def test_ray_takes_the_runtime_environment(
    runtime_env: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # where it says that it is called
    taken = RuntimeEnv(**runtime_env)
    packages = [line.partition("#")[0].strip() for line in taken.pip_config()["packages"]]
    assert [line for line in packages if line] == requirements()
    assert set(runtime_env["env_vars"]) <= KNOWN_VARIABLES
    assert not {name for name in runtime_env["env_vars"] if "KEY" in name or "TOKEN" in name}


def test_the_runtime_environment_holds_what_jobs_need_and_ray_uploads_it(
    runtime_env: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    package = tmp_path / "package.zip"
    create_package(".", package, include_gitignore=True, excludes=runtime_env["excludes"])
    # More is refused with "413: Maximum request body size exceeded".
    assert package.stat().st_size < 0.8 * DASHBOARD_CLIENT_MAX_SIZE
    names = set(zipfile.ZipFile(package).namelist())
    needed = [*ROOT.glob("ray_jobs/*.py"), *ROOT.glob("pipeline/**/*.py"), *ROOT.glob("*_config/*.yaml")]
    needed += [
        *ROOT.glob("weights/**/*.safetensors"),
        *ROOT.glob("samples/**/*.parquet"),
    ]
    assert {str(path.relative_to(ROOT)) for path in needed} <= names
    assert not {name for name in names if name.startswith((".venv/", ".git/", "tests/"))}
    # Nodes have torch: half of the upload would be the same networks again.
    assert not {name for name in names if ".onnx" in name}


def requirements() -> list[str]:
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.splitlines())
    return [line for line in lines if line]
