"""Shared by all tests: nothing may read or write the user's own data directory, or join a Ray that runs."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

os.environ["RAY_idle_worker_killing_time_threshold_ms"] = "600000"  # noqa: SIM112 (Ray reads it so)


os.environ["SIMILE_HOME"] = tempfile.mkdtemp(prefix="simile-tests-")
# A submitted job joins the cluster whose address Ray finds here. Sockets below it: the path must be short.
os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="ray-")
for _folder in (os.environ["SIMILE_HOME"], os.environ["RAY_TMPDIR"]):
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["SIMILE_CACHE"] = os.environ["SIMILE_HOME"]  # of exported networks
os.environ.pop("SIMILE_DASHBOARD", None)  # the tests that need it ask for it
os.environ["RAY_metrics_report_interval_ms"] = "1000"  # noqa: SIM112 (a test waits for them)


os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
# Only the conformance tests speak to a live server, where QDRANT_URL names one.
for _name in ("QDRANT_URL", "QDRANT_API_KEY", "QDRANT_GRPC_PORT"):
    if _value := os.environ.pop(_name, None):
        os.environ[f"SIMILE_TEST_{_name}"] = _value

# What shares something that is expensive to start runs in one process, as a group: a Ray of this process, or
# a page and a browser. Every other file is a group of its own.
_GROUPS = {
    "ray": (
        "tests/indexing/",
        "tests/ray_jobs/",
        "tests/sources/",
        "tests/training/",
        "tests/evaluation/test_everything.py",
        "tests/evaluation/test_scores.py",
    ),
    "page": ("tests/page/",),
}
# With a Ray of their own.
_APART = (
    "tests/indexing/test_multi_node.py",
    "tests/indexing/test_bare_cluster.py",
    "tests/indexing/test_cluster.py",
)
# The longest first, so that no process is left alone with one of them at the end.
_FIRST = ("tests/chaos/test_chaos.py", "ray", "page", *_APART)


def group_of(nodeid: str) -> str:
    """The group of a test, from its name alone: xdist has no more of it where it hands tests out."""
    file = nodeid.partition("::")[0]
    groups = (name for name, places in _GROUPS.items() if file.startswith(places) and file not in _APART)
    return next(groups, file)


class GroupScheduling(LoadFileScheduling):
    """`--dist loadfile`, with groups in place of files."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling | None:
    return GroupScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {group: place for place, group in enumerate(_FIRST)}
    items.sort(key=lambda item: order.get(group_of(item.nodeid), len(order)))


def share_ray() -> None:
    """One Ray for all tests of a process that need nothing special of it, from the first of them on."""
    import ray

    from ray_jobs.session import ray_session

    if not ray.is_initialized():
        session = ExitStack()
        atexit.register(session.close)
        session.enter_context(ray_session())


@pytest.fixture(scope="module")
def ray_here() -> None:
    """`share_ray`; for each module anew, as one that makes a cluster of its own ends the shared one."""
    share_ray()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """URL of an empty bucket on an S3 server of this module, which the clients of this process find."""
    from tests.stand_ins.s3 import S3StandIn, serve_s3

    with S3StandIn() as server, pytest.MonkeyPatch.context() as patch:
        yield serve_s3(server, patch)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tars whose headers were read."""
    from pipeline.sources.storage import open_stream

    names: list[str] = []

    def note(location: str, *rest: Any) -> Any:
        names.append(location.rpartition("/")[2])
        return open_stream(location, *rest)

    monkeypatch.setattr("pipeline.sources.tar_index.open_stream", note)
    return names
