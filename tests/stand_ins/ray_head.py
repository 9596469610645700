"""A Ray cluster of its own below one process: it is ended by that process, and no other Ray is touched."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

__all__ = ["RAY", "cluster_environment", "ray_head", "submit", "wait_for_jobs"]

RAY = str(Path(sys.executable).parent / "ray")
_TRIES = 4  # Ray gives a node 30 seconds, which a machine with much else to do does not always keep
_ROOT = Path(__file__).resolve().parent.parent.parent


def cluster_environment(**more: str) -> dict[str, str]:
    """Variables for a cluster and those who use it."""
    others = {"RAY_ADDRESS"}  # of a cluster that another test may have left in this process
    return {name: value for name, value in os.environ.items() if name not in others} | {
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"],  # an activated .venv
        "RAY_TMPDIR": tempfile.mkdtemp(prefix="ray-"),
        **more,
    }


@contextmanager
def ray_head(variables: dict[str, str], *arguments: str, ray: str = RAY) -> Iterator[psutil.Process]:
    """`ray start --head` with these arguments while the block runs; all of it is gone afterwards.

    Args:
        variables: from `cluster_environment`; the folder `RAY_TMPDIR` is removed at the end.
        ray: the program, where it is not that of this Python.
    """
    # --block keeps all of Ray below one process of ours.
    command = [ray, "start", "--head", *arguments, "--block"]
    folder = variables["RAY_TMPDIR"]
    log = Path(folder) / "head.log"
    try:
        for _ in range(_TRIES):
            with log.open("w") as file:
                started = subprocess.Popen(
                    command,
                    env=variables,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # its reaper signals its whole process group
                )
            if _came_up(started, log):
                break
            _end(started, folder)
        else:
            raise AssertionError(f"no head came up: {log.read_text()[-3000:]}")
        yield psutil.Process(started.pid)
    finally:
        _end(started, folder)
        shutil.rmtree(folder, ignore_errors=True)


def _came_up(head: subprocess.Popen[bytes], log: Path) -> bool:
    while head.poll() is None:
        if "Ray runtime started" in log.read_text():
            return True
        time.sleep(0.2)
    return False


def _end(head: subprocess.Popen[bytes], folder: str) -> None:
    """End a head and all that it started. What has no parent any more is known by its `RAY_TMPDIR`."""
    known = _processes_in(folder)
    with suppress(psutil.NoSuchProcess):
        known += psutil.Process(head.pid).children(
            recursive=True
        )  # whose environment Ray may have written over
    head.terminate()
    psutil.wait_procs(known, timeout=8)  # gently, then not
    while left := [process for process in {*known, *_processes_in(folder)} if _runs(process)]:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=30)
    head.wait(30)


def _processes_in(folder: str) -> list[psutil.Process]:
    """Those that were started with this `RAY_TMPDIR`."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or belongs to somebody else
            if process.environ().get("RAY_TMPDIR") == folder:
                found.append(process)
    return found


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_jobs(variables: dict[str, str], ray: str = RAY) -> None:
    """Return when the head at `RAY_API_SERVER_ADDRESS` answers `ray job`, in 300 seconds at most."""
    deadline = time.monotonic() + 300
    while subprocess.run([ray, "job", "list"], env=variables, capture_output=True, timeout=60).returncode:
        assert time.monotonic() < deadline, "the cluster does not answer"
        time.sleep(1)


def submit(
    variables: dict[str, str], command: Sequence[str], seconds: float = 800
) -> subprocess.CompletedProcess[str]:
    """A whole `ray job submit`, called in the root of the repository and waited for."""
    deadline = time.monotonic() + 60
    while True:
        run = subprocess.run(
            command, cwd=_ROOT, env=variables, capture_output=True, text=True, timeout=seconds
        )
        # The head answers before its agent, which starts the jobs, is up.
        if "No available agent" not in run.stderr or time.monotonic() > deadline:
            return run
        time.sleep(2)
