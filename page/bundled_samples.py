"""The bundled samples, indexed before a page that would have nothing to show."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline import list_collections
from pipeline.encoders import describe_encoder
from pipeline.errors import SimileError
from pipeline.home import SEARCHABLE, resolve_home, unfinished_samples
from pipeline.store import open_store
from pipeline.store.manifest import Manifest
from pipeline.store.versions import read_version

__all__ = ["ensure_collections"]

_ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def ensure_collections(home: str | None, url: str | None) -> Iterator[None]:
    """Indexes the bundled samples if the home holds no collection yet, if their indexing was cut short, or if
    they were indexed with networks that an update has replaced: no new picture could be searched from.

    The page is served as soon as one collection can be searched; the others, and the maps, come meanwhile.
    Where it ends earlier, the next one goes on.
    """
    if url or os.environ.get("QDRANT_URL"):
        yield
        return
    unfinished = unfinished_samples(resolve_home(home))
    there = bool(list_collections(home=home))
    if there and not unfinished.exists():
        if not any(map(_has_other_networks, _samples(home))):
            yield
            return
        said = "Simile's networks have changed: indexing the bundled samples again …"
    else:
        said = "No collection yet: indexing the bundled samples once …"
    print(said, file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "ray_jobs.samples"]
    if home:
        command += ["--home", str(Path(home).resolve())]
    unfinished.unlink(missing_ok=True)  # what it says is of the run before
    with subprocess.Popen(command, cwd=_ROOT) as job:
        try:
            import gradio  # noqa: F401  # it takes seconds, in which the job waits for Ray

            while job.poll() is None and not _are_searchable(unfinished):
                time.sleep(0.1)
            if (job.poll() and not there) or not list_collections(home=home, url=url):
                raise SimileError("the bundled samples could not be indexed; the lines above say why")
            yield
        finally:
            job.terminate()


def _samples(home: str | None) -> Iterator[Manifest]:
    """Of the collections that hold a bundled sample, and nothing that was added to it."""
    store = open_store(resolve_home(home))
    for name, version in store.aliases().items():
        try:
            found = read_version(store, version).manifest
        except SimileError:
            continue  # whoever opens it is told why it cannot be read
        if Path(found.source).parts[-2:] == ("samples", name) and not found.added:
            yield found


def _has_other_networks(sample: Manifest) -> bool:
    for entry in sample.encoders:
        with suppress(SimileError):  # a network that is no more here cannot be asked for either
            if describe_encoder(entry.name).fingerprint != entry.fingerprint:
                return True
    return False


def _are_searchable(unfinished: Path) -> bool:
    with suppress(FileNotFoundError):
        return unfinished.read_text(encoding="utf-8") == SEARCHABLE
    return False
