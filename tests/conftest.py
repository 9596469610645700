"""Shared by all tests: nothing may read or write the user's own data directory, or join a Ray that runs."""

import atexit
import os
import shutil
import tempfile
from contextlib import ExitStack

import pytest

os.environ["RAY_idle_worker_killing_time_threshold_ms"] = "600000"  # noqa: SIM112 (Ray reads it so)


os.environ["SIMILE_HOME"] = tempfile.mkdtemp(prefix="simile-tests-")
# A submitted job joins the cluster whose address Ray finds here. Sockets below it: the path must be short.
os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="ray-")
for _folder in (os.environ["SIMILE_HOME"], os.environ["RAY_TMPDIR"]):
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["SIMILE_CACHE"] = os.environ["SIMILE_HOME"]  # of exported networks
os.environ["SIMILE_DASHBOARD"] = "0"  # the tests that need it ask for it
os.environ["RAY_metrics_report_interval_ms"] = "1000"  # noqa: SIM112 (a test waits for them)


os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
# Only the conformance tests speak to a live server, where QDRANT_URL names one.
for _name in ("QDRANT_URL", "QDRANT_API_KEY"):
    if _value := os.environ.pop(_name, None):
        os.environ[f"SIMILE_TEST_{_name}"] = _value

# Group -> fixtures that are expensive to start: all modules that use one run in one process. The longest
# groups and files come first, so that no process is left alone with one of them at the end.
_SHARED = {"ray": ("ray_here", "index"), "page": ("demo_home", "browser", "launch")}
_FIRST = ("test_chaos", "ray", "page", "test_multi_node", "test_cluster")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    groups = {item.path: item.path.stem for item in items}
    for item in items:
        for group, fixtures in _SHARED.items():
            if not set(fixtures).isdisjoint(getattr(item, "fixturenames", ())):
                groups[item.path] = group
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[item.path]))
    order = {group: place for place, group in enumerate(_FIRST)}
    items.sort(key=lambda item: order.get(groups[item.path], len(order)))


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
