"""The bundled samples, indexed before a page that would have nothing to show."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline import list_collections
from pipeline.errors import SimileError
from pipeline.home import SEARCHABLE, resolve_home, unfinished_samples

__all__ = ["ensure_collections"]

_ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def ensure_collections(home: str | None, url: str | None) -> Iterator[None]:
    """Indexes the bundled samples if the home holds no collection yet, or if their indexing was cut short.

    The page is served as soon as one collection can be searched; the others, and the maps, come meanwhile.
    Where it ends earlier, the next one goes on.
    """
    if url or os.environ.get("QDRANT_URL"):
        yield
        return
    unfinished = unfinished_samples(resolve_home(home))
    if list_collections(home=home) and not unfinished.exists():
        yield
        return
    print("No collection yet: indexing the bundled samples once …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "ray_jobs.samples"]
    if home:
        command += ["--home", str(Path(home).resolve())]
    unfinished.unlink(missing_ok=True)  # what it says is of the run before
    with subprocess.Popen(command, cwd=_ROOT) as job:
        try:
            import gradio  # noqa: F401  # it takes seconds, in which the job waits for Ray

            while job.poll() is None and not _are_searchable(unfinished):
                time.sleep(0.1)
            if job.poll() or not list_collections(home=home, url=url):
                raise SimileError("the bundled samples could not be indexed; the lines above say why")
            yield
        finally:
            job.terminate()


def _are_searchable(unfinished: Path) -> bool:
    with suppress(FileNotFoundError):
        return unfinished.read_text(encoding="utf-8") == SEARCHABLE
    return False
