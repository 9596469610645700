"""Jobs to be broken: run as their users run them, as processes on a Ray that outlives them."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from pipeline import open_collection
from pipeline.indexing.embed_actor import UNITS_AT_ONCE
from pipeline.sources.units import MOST_ROWS, most_rows
from pipeline.staging.ids import id_texts, id_words
from pipeline.staging.parts import Parts
from tests.chaos import journal

ROOT = Path(__file__).resolve().parent.parent.parent
ENCODER = "weights:cifar10-cnn"
JOB_SECONDS = 900  # a job that takes longer hangs, on however busy a machine


@dataclass
class Place:
    """Where one run keeps its things."""

    folder: Path
    random: random.Random
    source: str = str(ROOT / "samples" / "cifar10")
    limit: int | None = 500
    url: str | None = None
    bucket: str | None = None  # where the home is, if it is no folder
    max_reject_fraction: float = 0.05
    credit: str = "nobody"
    dimension: int = 32
    shards: int = 1
    replicas: int = 1
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def address(self) -> str:
        """Of the home: a path or a URL."""
        return self.bucket or str(self.home)

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def config(self) -> str:
        """Write the YAML; its path."""
        path = self.folder / "chaos.yaml"
        settings: dict[str, Any] = {
            "collection": "chaos",
            "source": self.source,
            "credit": self.credit,
            "encoders": [{"name": ENCODER, "vector": "cnn"}],
            "projection": {"dimension": self.dimension},
            "max_reject_fraction": self.max_reject_fraction,
            "shard_number": self.shards,
            "replication_factor": self.replicas,
        }
        path.write_text(yaml.safe_dump(settings))
        return str(path)

    def start(self, dies_in: str | None = None, skew: float = 0.0) -> subprocess.Popen[str]:
        """A job in a process group of its own.

        Args:
            dies_in: the stage before which it is killed, or in which, see `dying`.
            skew: seconds by which the clock of its driver is wrong.
        """
        program = ["tests.chaos.dying", dies_in] if dies_in else ["ray_jobs.index"]
        program = ["tests.chaos.skewed", str(skew)] if skew else program
        command = [sys.executable, "-m", *program, self.config(), "--home", self.address]
        command += ["--limit", str(self.limit)] if self.limit else []
        variables = os.environ | journal.variables(self.journal) | self.environment
        variables |= {"QDRANT_URL": self.url} if self.url else {}
        return subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(self, job: subprocess.Popen[str]) -> dict[str, Any]:
        """Wait for a job that must succeed; its account."""
        out, err = job.communicate(timeout=JOB_SECONDS)
        assert job.returncode == 0, err[-3000:]
        return json.loads(out.strip().splitlines()[-1])

    def fail(self, job: subprocess.Popen[str]) -> str:
        """Wait for a job that must end with a sentence; what it said."""
        _, err = job.communicate(timeout=JOB_SECONDS)
        assert job.returncode == 1, err[-3000:]
        assert "Traceback" not in err, err[-3000:]
        return err

    def staged(self) -> Counter[str]:
        """How often each picture that became a point is staged."""
        counts: Counter[str] = Counter()
        parts = Parts(self.address, "chaos")
        for unit in parts.names():
            rows = parts.read(unit, ["id", "width"])  # a repeat within the unit has none
            counts.update(id_texts(id_words(rows.filter(rows["width"].is_valid())["id"])))
        return counts

    def marked(self) -> set[str]:
        """Units that are marked as written to a version which is not finished."""
        loads = self.home / "staging" / "chaos" / "loads"
        return {marker.name for marker in loads.glob("*/*") if not marker.name.startswith(".")}

    def stored(self) -> list[str]:
        """Ids in the live version."""
        return list(open_collection("chaos", home=self.address, url=self.url).ids())


@dataclass
class Outcome:
    """What a run cost; all from `lost` on must be zero."""

    kind: str
    faults: int = 0
    killed: int = 0  # times that the actors of a job died
    lost: int = 0
    duplicated: int = 0
    twice: int = 0
    failed_queries: int = 0
    mixed_queries: int = 0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicated or self.twice or self.failed_queries or self.mixed_queries)


def settle(place: Place, outcome: Outcome, account: dict[str, Any]) -> Outcome:
    """Compare the last run's account with what is on storage, in the store, and in the actors' journal."""
    stored, staged, begun = place.stored(), place.staged(), journal.begun(place.journal)
    outcome.lost += account["source"] - account["written"] - account["skipped"] - account["rejected"]
    outcome.lost += len(staged.keys() - set(stored))
    outcome.duplicated += len(stored) - len(set(stored))
    outcome.twice += sum(staged.values()) - len(staged)
    # The units at work are embedded again.
    at_work = UNITS_AT_ONCE * min(MOST_ROWS, most_rows(account["source"]))
    outcome.twice += max(0, sum(begun.values()) - len(begun) - outcome.killed * at_work)
    assert not staged.keys() - begun.keys(), "the journal misses rows"
    if outcome.twice:
        again = {point for point, times in begun.items() if times > 1}
        print(
            f"{outcome.kind}: begun more than once, by process: {journal.by_process(place.journal, again)}; "
            f"the last job embedded {account['embedded']}",
            file=sys.stderr,
        )
    return outcome


def wait_for(condition: Callable[[], bool], job: subprocess.Popen[str], seconds: float = 600) -> bool:
    """True once the condition holds; False if the job ended first."""
    deadline = time.monotonic() + seconds
    while not condition():
        if job.poll() is not None:
            return False
        assert time.monotonic() < deadline, "the job hangs"
        time.sleep(0.01)
    return True


def kill_worker(job: subprocess.Popen[str], title: str) -> bool:
    """`kill -9` one Ray worker of this cluster whose title says what it does; False if there is none."""
    ray_processes = psutil.Process().children(recursive=True)
    found = [process for process in ray_processes if title in _title(process)]
    if not found or job.poll() is not None:
        return False
    os.kill(found[0].pid, signal.SIGKILL)
    return True


def wait_for_end(title: str) -> None:
    """Wait until no Ray worker of this cluster has such a title: it may outlive its driver for a moment."""
    deadline = time.monotonic() + 60
    while any(title in _title(process) for process in psutil.Process().children(recursive=True)):
        assert time.monotonic() < deadline, f"{title} goes on without its driver"
        time.sleep(0.05)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Callable[[int], None] | None]:
    """A file system of this size on `folder`; yields a function that changes it, or None where forbidden."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        made = False
    if not made:
        yield None
        return

    def resize(size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}k", str(folder)], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
