"""One writer a collection and home, and the record of it that the page shows.

<home>/jobs/<collection>.json, renewed every two seconds while the job lives, removed when it has done its
work. A local home has a lock besides, which goes with its process. An object store has no locks: there the
record is a lease, and a second writer watches for some seconds whether anybody renews it.
"""

import datetime
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
import pyarrow.fs as pafs

from pipeline.errors import SimileError
from pipeline.home import filesystem
from pipeline.progress import begin, step

__all__ = ["JobRecord", "job_records", "refuse_second_writer", "writer_lock"]

_RENEWED_EVERY = 2.0  # seconds
_DEAD_AFTER = 4  # missed renewals
_FORGOTTEN_AFTER = 30.0  # seconds; for the page, whose clock may be another machine's


@dataclass(frozen=True)
class JobRecord:
    """What a job says of itself. `total` is 0 where nobody can tell how much there is to do."""

    job: str
    process: int
    host: str
    renewed: str  # ISO 8601, UTC
    stage: str
    done: int
    total: int
    stopped: bool = False

    @property
    def alive(self) -> bool:
        """Not stopped, and renewed lately by the clocks of two machines."""
        if self.stopped:
            return False
        age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(self.renewed)
        return abs(age.total_seconds()) < _FORGOTTEN_AFTER


@contextmanager
def writer_lock(home: str, collection: str) -> Iterator[None]:
    """Hold the collection for this process, and keep its record fresh; both end with the process.

    Raises:
        SimileError: another job holds it.
    """
    record = _Record(home, collection)
    if record.remote:
        record.lease()
        lock = None
    else:
        lock = record.lock()
    try:
        with record.renewed():
            yield
    finally:
        if lock:
            lock.release()


def refuse_second_writer(home: str, collection: str) -> None:
    """Look whether another job writes, and take nothing: said in seconds, before Ray is started.

    Raises:
        SimileError: another job holds the collection.
    """
    record = _Record(home, collection)
    if not record.remote:
        record.lock().release()
    elif (now := record.read()) and now.alive:
        record.watch(now)


def job_records(home: str) -> dict[str, JobRecord]:
    """Collection -> the job that writes it, or that stopped before its work was done."""
    files, folder = filesystem(f"{home}/jobs")
    found = files.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
    names = [Path(entry.path).stem for entry in found if entry.path.endswith(".json")]
    records = {name: _Record(home, name).read() for name in sorted(names)}
    return {name: record for name, record in records.items() if record}


class _Record:
    """The file of one collection, written by one job."""

    def __init__(self, home: str, collection: str) -> None:
        self.collection = collection
        self.remote = "://" in home
        self.files, self.path = filesystem(f"{home}/jobs/{collection}.json")
        self.job = uuid.uuid4().hex

    def read(self) -> JobRecord | None:
        try:
            with self.files.open_input_stream(self.path) as stream:
                return JobRecord(**json.loads(stream.read()))
        except (FileNotFoundError, ValueError, TypeError):  # absent, or of another version of Simile
            return None

    def write(self, stopped: bool = False) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat()
        record = JobRecord(
            self.job, os.getpid(), socket.gethostname(), now, **asdict(step()), stopped=stopped
        )
        folder, name = self.path.rsplit("/", 1)
        self.files.create_dir(folder, recursive=True)
        # A file is there from its first byte; an object appears with its last, and cannot be renamed.
        draft = self.path if self.remote else f"{folder}/.{name}.{self.job}"
        with self.files.open_output_stream(draft) as stream:
            stream.write(json.dumps(asdict(record)).encode())
        if not self.remote:
            self.files.move(draft, self.path)

    def lock(self) -> filelock.BaseFileLock:
        """The lock of a local home, held."""
        folder = Path(self.path).parent.parent / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / f"{self.collection}.lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise _held(self.collection, self.read()) from None
        return lock

    def watch(self, before: JobRecord) -> None:
        """Wait until `before` should have been renewed several times; raise if it was."""
        for _ in range(_DEAD_AFTER):
            time.sleep(_RENEWED_EVERY)
            now = self.read()
            if now is None:
                return
            if now != before:
                raise _held(self.collection, now)

    def lease(self) -> None:
        """Take the collection if nobody renews the record; of two who try at once, one gets it."""
        before = self.read()
        if before and not before.stopped:
            self.watch(before)
        self.write()
        time.sleep(_RENEWED_EVERY / 2)
        if (now := self.read()) is None or now.job != self.job:
            raise _held(self.collection, now)

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew it while the block runs; remove it where that ends well, else say that the job stopped."""
        begin("start")
        try:
            self.write()
        except OSError as error:
            raise SimileError(f"{self.path} cannot be written: {error}.") from error
        done = threading.Event()
        thread = threading.Thread(target=self._renew, args=(done,), name="job record", daemon=True)
        thread.start()
        finished = False
        try:
            yield
            finished = True
        finally:
            done.set()
            thread.join()
            with suppress(OSError):  # a full disk is explained elsewhere, and this error must not hide it
                if finished:
                    self.files.delete_file(self.path)
                else:
                    self.write(stopped=True)

    def _renew(self, done: threading.Event) -> None:
        while not done.wait(_RENEWED_EVERY):
            with suppress(OSError):
                self.write()


def _held(collection: str, holder: JobRecord | None) -> SimileError:
    who = f" (process {holder.process} on {holder.host})" if holder else ""
    return SimileError(f"Another job is writing '{collection}'{who}; wait for it, or stop it.")
