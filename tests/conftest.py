"""Shared by all tests: nothing may read or write the user's own data directory, or join a Ray that runs."""

import atexit
import os
import shutil
import tempfile
from contextlib import ExitStack

import pytest

os.environ["RAY_idle_worker_killing_time_threshold_ms"] = "30000"  # noqa: SIM112 (Ray reads it so)


os.environ["SIMILE_HOME"] = tempfile.mkdtemp(prefix="simile-tests-")
# A submitted job joins the cluster whose address Ray finds here. Sockets below it: the path must be short.
os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="ray-")
for _folder in (os.environ["SIMILE_HOME"], os.environ["RAY_TMPDIR"]):
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["SIMILE_CACHE"] = os.environ["SIMILE_HOME"]  # of exported networks
os.environ["SIMILE_DASHBOARD"] = "0"  # two of the tests need it, and ask for it


os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
# Only the conformance tests speak to a live server, where QDRANT_URL names one.
for _name in ("QDRANT_URL", "QDRANT_API_KEY"):
    if _value := os.environ.pop(_name, None):
        os.environ[f"SIMILE_TEST_{_name}"] = _value

# The longest first, so that no process is left alone with one of them at the end.
_LONGEST = ("chaos", "training", "indexing", "evaluation")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return _LONGEST.index(folder) if folder in _LONGEST else len(_LONGEST)

    items.sort(key=place)


@pytest.fixture(scope="module")
def ray_here() -> None:
    """One Ray for all modules of a test process that need nothing special of it."""
    import ray

    from ray_jobs.session import ray_session

    if not ray.is_initialized():
        session = ExitStack()
        atexit.register(session.close)
        session.enter_context(ray_session())
