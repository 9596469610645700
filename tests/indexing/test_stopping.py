"""SIGTERM and Ctrl-C end a job in order, and the next run goes on."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from pipeline.locks.lock import job_records, writer_lock
from ray_jobs.session import report_errors
from ray_jobs.stopping import listen_again, stoppable

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = 1200
STOPPED_WITHIN = 30.0  # seconds, as promised


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_frees_the_lock_and_says_how_to_go_on(
    number: int, status: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with (
        pytest.raises(SystemExit) as ended,
        report_errors() as stopping,
        writer_lock(str(tmp_path), "colours"),
    ):
        stopping.go_on = "To go on: the command."
        signal.raise_signal(number)
    assert ended.value.code == status
    assert job_records(str(tmp_path))["colours"].stopped
    with writer_lock(str(tmp_path), "colours"):  # free again
        pass
    said = capfd.readouterr().err
    assert f"stopping after {signal.Signals(number).name}. To go on: the command.\n" in said
    assert signal.getsignal(number) == before
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_what_goes_wrong_while_stopping_does_not_hide_the_signal() -> None:
    with pytest.raises(SystemExit) as ended, stoppable():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)  # a second one, as `timeout` and impatient people send it
            raise RuntimeError("an actor is gone")
    assert ended.value.code == 143


def test_a_process_that_stopped_in_order_is_not_ended_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray_jobs.stopping.GRACE_SECONDS", 0.1)
    ends: list[int] = []
    monkeypatch.setattr("ray_jobs.stopping.os._exit", ends.append)
    with pytest.raises(SystemExit), stoppable():
        signal.raise_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert ends == []


def test_errors_without_a_signal_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="our own"), stoppable():
        raise RuntimeError("our own")


def test_signals_are_taken_back_from_a_library() -> None:
    with pytest.raises(SystemExit) as ended, stoppable():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        listen_again()
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143


def test_a_job_that_cannot_stop_is_ended(tmp_path: Path) -> None:
    """Something that takes the exception, as a library may, does not keep the process."""
    program = (
        "import contextlib, signal, time; from ray_jobs import stopping\n"
        "stopping.GRACE_SECONDS = 0.2\n"
        "with stopping.stoppable():\n"
        "    with contextlib.suppress(KeyboardInterrupt): signal.raise_signal(signal.SIGTERM)\n"
        "    time.sleep(60)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=30)
    assert ended.returncode == 143
    assert b"did not stop within" in ended.stderr


def begin(home: Path) -> subprocess.Popen[str]:
    """The job as a shell starts it: a process group of its own, to which a terminal sends Ctrl-C."""
    command = [sys.executable, "-m", "ray_jobs.index", "qdrant_config/cifar10.yaml", "--sample"]
    command += ["--limit", str(ROWS), "--encoder", "pypi:efficientnet-lite0@80px", "--home", str(home)]
    variables = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def staged(home: Path) -> int:
    return sum(pq.read_metadata(part).num_rows for part in home.glob("staging/*/parts/*.parquet"))


@pytest.mark.long
def test_a_job_stops_in_the_embed_stage_and_goes_on(tmp_path: Path) -> None:
    before = 0
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        job = begin(tmp_path)
        deadline = time.monotonic() + 300
        while staged(tmp_path) == before:
            assert job.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        below = psutil.Process(job.pid).children(recursive=True)
        assert any("EmbedActor" in " ".join(each.cmdline()) for each in below)
        began = time.monotonic()
        if number == signal.SIGTERM:
            job.send_signal(number)
        else:
            os.killpg(job.pid, number)
        out, said = job.communicate(timeout=STOPPED_WITHIN)
        seconds = time.monotonic() - began
        assert (job.returncode, out) == (status, ""), said[-3000:]
        assert "Traceback" not in said, said
        again = next(line for line in said.splitlines() if line.startswith("stopping after"))
        assert shlex.split(again.partition("go on from there: ")[2])[:3] == ["python", "-m", "ray_jobs.index"]
        assert f"--home {tmp_path}" in again
        assert psutil.wait_procs(below, timeout=STOPPED_WITHIN - seconds)[1] == []  # Ray and its actors ended
        assert job_records(str(tmp_path))["cifar10"].stopped
        assert before < staged(tmp_path) < ROWS
        before = staged(tmp_path)
    last = begin(tmp_path)
    out, said = last.communicate(timeout=600)
    assert last.returncode == 0, said[-3000:]
    result = json.loads(out)
    assert (result["embedded"], result["written"]) == (ROWS - before, ROWS)
    assert job_records(str(tmp_path)) == {}
