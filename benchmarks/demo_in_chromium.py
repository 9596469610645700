"""A page of our own in a process of its own, and a Chromium to look at it with."""

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from pipeline.home import resolve_home, unfinished_samples

__all__ = ["FLAGS", "ROOT", "WEBGL_FLAGS", "find_chromium", "running_demo"]

FLAGS = ["--no-sandbox"]
# The map needs WebGL. Without a GPU Chromium draws it by SwiftShader, on the processor, when it is asked to.
WEBGL_FLAGS = [*FLAGS, "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 600  # the first start indexes the bundled samples


def find_chromium() -> str | None:
    """Path of Chromium or Chrome on this machine; None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)


@contextmanager
def running_demo(
    home: str | None,
    *arguments: str,
    environment: dict[str, str] | None = None,
    log: IO[str] | None = None,
    root: Path = ROOT,
) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of `demo.py`, from its first line to its end.

    Args:
        environment: in place of this process's own.
        log: where its warnings and errors go, in place of stderr.
        root: folder of the program.

    Raises:
        SystemExit: it ended, or does not answer within ten minutes.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "demo.py", "--port", str(port), *arguments]
    home = str(Path(home).resolve()) if home else None
    command += ["--home", home] if home else []
    process = psutil.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env=environment, stderr=log)
    ready = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            if line.startswith("Simile is at "):
                ready.set()

    threading.Thread(target=read, daemon=True).start()
    try:
        end = time.monotonic() + _START_SECONDS
        while not ready.wait(0.5):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("the page did not start; the lines above say why")
        while unfinished_samples(resolve_home(home)).exists():  # the rest would compete with what is measured
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
