"""One writer at a time, by lock and by lease, and what its record says."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SimileError
from pipeline.locks.bucket import object_store
from pipeline.locks.lease import Holder, LockLostError
from pipeline.locks.lock import Held, job_records, writer_lock
from pipeline.progress import progress


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.locks.lock._RENEWED_EVERY", 0.25)
    monkeypatch.setattr("pipeline.locks.lock.RENEWED_EVERY", 0.2)
    monkeypatch.setattr("pipeline.locks.lease.RENEWED_EVERY", 0.2)
    monkeypatch.setattr("pipeline.locks.lease.WATCHED_FOR", 1.0)
    monkeypatch.setattr("pipeline.locks.lease.SURE_FOR", 0.6)


@pytest.fixture(params=["folder", "objects"])
def home(request: Any, tmp_path: Path, s3: str) -> str:
    return str(tmp_path) if request.param == "folder" else f"{s3}/{tmp_path.name}"


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
        assert set(job_records(home)) == {"birds", "fish"}
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
    monkeypatch.setattr("pipeline.locks.lease.WATCHED_FOR", 1e6)  # would wait for ever if it watched
    with writer_lock(home, "birds"):
        assert job_records(home)["birds"].alive


def test_what_is_no_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "birds.json").write_text("{")
    assert job_records(str(tmp_path)) == {}
    with writer_lock(str(tmp_path), "birds"):
        assert set(job_records(str(tmp_path))) == {"birds"}


def lost(lock: Held) -> bool:
    try:
        lock.noticed()
    except LockLostError:
        return True
    return False


def test_a_job_that_was_overtaken_notices_it_at_its_next_renewal(tmp_path: Path, s3: str) -> None:
    import obstore

    home = f"{s3}/{tmp_path.name}"
    with writer_lock(home, "birds") as lock:
        assert not lost(lock)
        other = Holder("other", 2, "elsewhere", 1)
        obstore.put(object_store(home), "locks/birds.json", other.to_json())
        eventually(lambda: lost(lock))
        with pytest.raises(LockLostError, match=r"taken over 'birds' \(process 1 on elsewhere\)"):
            lock.check()


def test_what_is_no_lock_any_more_counts_as_lost(tmp_path: Path, s3: str) -> None:
    import obstore

    home = f"{s3}/{tmp_path.name}"
    with writer_lock(home, "birds") as lock:
        obstore.put(object_store(home), "locks/birds.json", b"[1]")
        eventually(lambda: lost(lock))
