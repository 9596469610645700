"""One writer a collection and home, and the record of it that the page shows.

<home>/jobs/<collection>.json, renewed every two seconds while the job lives, removed when it has done its
work. The lock itself is a file lock on a local home, which goes with its process, and a lease on an object
store: see lease.py.
"""

import datetime
import json
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from pipeline.errors import SimileError
from pipeline.home import filesystem, is_remote, listed, write_file
from pipeline.locks.lease import RENEWED_EVERY, Fence, Holder, Lease
from pipeline.progress import begin, step

__all__ = ["Held", "JobRecord", "job_records", "refuse_second_writer", "writer_lock"]

_RENEWED_EVERY = 2.0  # seconds
_LOOKED_FOR = 12.0  # seconds; two renewals of a lease and a little more
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


@dataclass(frozen=True)
class Held:
    """A lock that this process holds.

    Attributes:
        fence: what other processes that write for this one ask before they write.
        check: raises `LockLostError` if another job has taken over; called before every write.
        noticed: the same, from what the last renewal found: it asks nobody, so that it may be called often.
    """

    fence: Fence
    check: Callable[[], None]
    noticed: Callable[[], None]


@contextmanager
def writer_lock(home: str, collection: str) -> Iterator[Held]:
    """Hold the collection for this process, and keep its record fresh; both end with the process.

    Raises:
        SimileError: another job holds it, or the home cannot be used.
    """
    record = _Record(home, collection)
    if is_remote(home):
        with _leased(home, collection, record.job) as lease, record.renewed():
            yield Held(lease.fence, lease.check, lease.noticed)
        return
    lock = _file_lock(home, collection)
    try:
        with record.renewed():
            yield Held(Fence(home, collection), lambda: None, lambda: None)
    finally:
        lock.release()


def refuse_second_writer(home: str, collection: str) -> None:
    """Look whether another job writes, and take nothing: said in seconds, before Ray is started.

    Raises:
        SimileError: another job holds the collection, or the home cannot be used.
    """
    if not is_remote(home):
        _file_lock(home, collection).release()
        return
    with _usable(home):
        living = Lease(home, collection, _myself("")).holder(_LOOKED_FOR)
    if living is not None:
        raise _held(collection, living)


def job_records(home: str) -> dict[str, JobRecord]:
    """Collection -> the job that writes it, or that stopped before its work was done."""
    names = [Path(entry.path).stem for entry in listed(f"{home}/jobs") if entry.path.endswith(".json")]
    records = {name: _Record(home, name).read() for name in sorted(names)}
    return {name: record for name, record in records.items() if record}


class _Record:
    """The file of one collection, written by one job."""

    def __init__(self, home: str, collection: str) -> None:
        self.collection = collection
        self.location = f"{home}/jobs/{collection}.json"
        self.files, self.path = filesystem(self.location)
        self.job = uuid.uuid4().hex

    def read(self) -> JobRecord | None:
        for _ in range(2):  # an object may be replaced between the requests for its size and its bytes
            try:
                with self.files.open_input_stream(self.path) as stream:
                    return JobRecord(**json.loads(stream.read()))
            except FileNotFoundError:
                return None
            except (OSError, ValueError, TypeError):  # or it is of another version of Simile
                continue
        return None

    def write(self, stopped: bool = False) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat()
        record = JobRecord(
            self.job, os.getpid(), socket.gethostname(), now, **asdict(step()), stopped=stopped
        )
        write_file(self.location, json.dumps(asdict(record)).encode())

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


def _file_lock(home: str, collection: str) -> filelock.BaseFileLock:
    """The lock of a local home, held."""
    folder = Path(home) / "locks"
    lock = filelock.FileLock(folder / f"{collection}.lock", timeout=0)
    with _usable(home):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except filelock.Timeout:  # an OSError, too
            raise _held(collection, _Record(home, collection).read()) from None
    return lock


@contextmanager
def _usable(home: str) -> Iterator[None]:
    """A home that cannot be read or written is a sentence, before a job has begun with anything."""
    try:
        yield
    except OSError as error:
        asked = "give its keys as docs/cluster.md says" if is_remote(home) else "it must be a writable folder"
        raise SimileError(f"The home {home} cannot be used: {error}; {asked}.") from error


@contextmanager
def _leased(home: str, collection: str, job: str) -> Iterator[Lease]:
    """The lock on an object store, taken and renewed until the block ends."""
    with _usable(home):
        lease = Lease(home, collection, _myself(job))
        living = lease.take()
    if living is not None:
        raise _held(collection, living)
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(lease, done), name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        done.set()
        thread.join()
        # An error of the job must not be hidden; the lease runs out by itself.
        with suppress(OSError, SimileError):
            lease.release()


def _renew(lease: Lease, done: threading.Event) -> None:
    while not done.wait(RENEWED_EVERY):
        try:
            lease.renew()
        except OSError:  # the store is away; whether the lock is held is asked again
            continue
        except SimileError:  # it is lost: `noticed` and `check` say so
            return


def _myself(job: str) -> Holder:
    return Holder(job, 0, socket.gethostname(), os.getpid())


def _held(collection: str, holder: JobRecord | Holder | None) -> SimileError:
    who = f" (process {holder.process} on {holder.host})" if holder else ""
    return SimileError(f"Another job is writing '{collection}'{who}; wait for it, or stop it.")
