"""One writer at a time, by lock and by lease, and what its record says."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SimileError
from pipeline.indexing.lock import _Record, job_records, writer_lock
from pipeline.progress import progress

OBJECTS = "memory://bucket"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.indexing.lock._RENEWED_EVERY", 0.25)


@pytest.fixture(params=["folder", "objects"])
def home(request: Any, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "folder" else f"{OBJECTS}/{tmp_path.name}"


def eventually(true: Callable[[], bool]) -> None:
    """Wait for it; a minute without it is a hang."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_writer_is_refused_until_the_first_is_done(home: str) -> None:
    with writer_lock(home, "birds"), writer_lock(home, "fish"):
        with pytest.raises(SimileError, match=r"Another job is writing 'birds' \(process \d+ on "):
            writer_lock(home, "birds").__enter__()
        # fsspec's memory, unlike an object store, shows an object from its first byte.
        eventually(lambda: set(job_records(home)) == {"birds", "fish"})
    assert job_records(home) == {}
    with writer_lock(home, "birds"):
        pass


def test_the_record_follows_the_work(home: str) -> None:
    with writer_lock(home, "birds"), progress("embed", 50) as bar:
        bar.update(20)
        eventually(lambda: "birds" in job_records(home) and job_records(home)["birds"].done == 20)
        record = job_records(home)["birds"]
        assert (record.stage, record.done, record.total, record.alive) == ("embed", 20, 50, True)


def test_a_job_that_failed_leaves_its_record_and_holds_nothing(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SimileError, match="no more disk"), writer_lock(home, "birds"):
        raise SimileError("no more disk")
    assert not job_records(home)["birds"].alive
    # The next job need not watch whether anybody renews that record: it says that its job stopped.
    monkeypatch.setattr(_Record, "watch", lambda *_: pytest.fail("waited for a job that has stopped"))
    with writer_lock(home, "birds"):
        assert job_records(home)["birds"].alive


def test_a_lease_that_nobody_renews_runs_out(tmp_path: Path) -> None:
    home = f"{OBJECTS}/{tmp_path.name}"
    _Record(home, "birds").write()  # of a job that was killed
    with writer_lock(home, "birds"):
        assert len(job_records(home)) == 1


def test_of_two_that_take_a_lease_at_once_one_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.indexing.lock._RENEWED_EVERY", 2.0)  # a busy machine may delay a thread
    home, together, refused = f"{OBJECTS}/{tmp_path.name}", threading.Barrier(2), threading.Event()

    def take(_: int) -> bool:
        together.wait()
        try:
            with writer_lock(home, "birds"):
                refused.wait(60)
            return True
        except SimileError:
            refused.set()
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, range(2))) == [False, True]


def test_what_is_no_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "birds.json").write_text("{")
    assert job_records(str(tmp_path)) == {}
    with writer_lock(str(tmp_path), "birds"):
        assert set(job_records(str(tmp_path))) == {"birds"}
