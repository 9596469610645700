"""A Ray cluster of its own below one process: it is ended by that process, and no other Ray is touched."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

__all__ = ["RAY", "cluster_environment", "ray_head"]

RAY = str(Path(sys.executable).parent / "ray")


def cluster_environment(**more: str) -> dict[str, str]:
    """Variables for a cluster and those who use it."""
    others = {"RAY_ADDRESS"}  # of a cluster that another test may have left in this process
    return {name: value for name, value in os.environ.items() if name not in others} | {
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"],  # an activated .venv
        "RAY_TMPDIR": tempfile.mkdtemp(prefix="ray-"),
        **more,
    }


@contextmanager
def ray_head(variables: dict[str, str], *arguments: str) -> Iterator[psutil.Process]:
    """`ray start --head` with these arguments while the block runs; all of it is gone afterwards.

    Args:
        variables: from `cluster_environment`; the folder `RAY_TMPDIR` is removed at the end.
    """
    # --block keeps all of Ray below one process of ours.
    started = subprocess.Popen(
        [RAY, "start", "--head", *arguments, "--block"],
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # its reaper signals its whole process group
    )
    head = psutil.Process(started.pid)
    try:
        yield head
    finally:
        children = head.children(recursive=True)
        started.terminate()
        psutil.wait_procs([head, *children], timeout=8)  # gently, then not
        for process in filter(psutil.Process.is_running, children):
            process.kill()
        started.wait(30)
        shutil.rmtree(variables["RAY_TMPDIR"], ignore_errors=True)
