"""A lock on an object store: an object that is created if absent, and replaced only where it is unchanged.

<home>/locks/<collection>.json: who holds the collection, and the fencing number, one higher for each holder.
Whether a holder lives is seen from whether the object changes, by the watcher's own clock: the clocks of two
machines are never compared. After Gray and Cheriton, "Leases" (1989), with conditional writes in place of a
server that grants them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.locks.bucket import no_bucket, object_store, reason

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["Fence", "Holder", "Lease", "LockLostError", "asked_rarely"]

RENEWED_EVERY = 5.0  # seconds
WATCHED_FOR = 30.0  # seconds without a change, after which the holder counts as dead
_ALIVE = 2  # changes of the object after which its holder counts as alive
ASKED_EVERY = 5.0  # seconds between two looks of a process that writes for the holder
SURE_FOR = 20.0  # seconds after a renewal in which a holder need not ask again; well below WATCHED_FOR


class LockLostError(SimileError):
    """Another job has taken the collection over; this one must not write any more."""


@dataclass(frozen=True)
class Holder:
    """What the object says.

    Attributes:
        job: of the holder, unique.
        number: fencing number, higher than that of every earlier holder.
        renewals: so that each renewal changes the object.
        released: the holder let it go.
    """

    job: str
    number: int
    host: str
    process: int
    renewals: int = 0
    released: bool = False

    def to_json(self) -> bytes:
        """As it is stored."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Holder:
        """The reverse of `to_json`.

        Raises:
            SimileError: the object is no lock of Simile.
        """
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError):
            raise SimileError("the lock is not readable; did another version of Simile make it?") from None


@dataclass(frozen=True)
class Fence:
    """What a process that writes for a job asks before it writes; cheap to send to others.

    Attributes:
        home, collection: whose lock.
        number: of the holder for whom is written; None: a local home, whose lock dies with its process.
    """

    home: str
    collection: str
    number: int | None = None

    def check(self) -> None:
        """Look whether the lock is still that of this number.

        Raises:
            LockLostError: another job holds it.
            SimileError: the store does not answer, so that nobody can know.
        """
        if self.number is None:
            return
        with _certain(self.home, self.collection):
            holder, _ = _read(object_store(self.home), self.collection) or (None, {})
        if holder is None or holder.number != self.number or holder.released:
            raise _lost(self.collection, holder)


def asked_rarely(check: Callable[[], None]) -> Callable[[], None]:
    """The same check, made at most once in `ASKED_EVERY` seconds: for who writes many times a second."""
    asked = float("-inf")

    def check_now_and_then() -> None:
        nonlocal asked
        if time.monotonic() - asked > ASKED_EVERY:
            check()
            asked = time.monotonic()

    return check_now_and_then


class Lease:
    """The lock of one collection, for one job; its methods may be called by several threads."""

    def __init__(self, home: str, collection: str, me: Holder) -> None:
        """
        Args:
            home: URL of an object store.
            collection: its alias.
            me: this job; its number is set when it takes the lock.
        """
        self._store, self._collection, self._me = object_store(home), collection, me
        self._version: Any = None  # of the object as this job wrote it last
        self._sure = float("-inf")  # monotonic time at which the last renewal began
        self._lost = ""  # what a renewal said that found the lock taken
        self._lock = threading.Lock()
        self.fence = Fence(home, collection)

    def take(self) -> Holder | None:
        """Take the lock if nobody holds it; of two who try at once, one gets it.

        Returns:
            None if this job holds it now, else who does.
        """
        found, alive = self._watch(WATCHED_FOR)
        if found and alive:
            return found[0]
        # What is replaced is the very object that was judged: another job may have taken the lock meanwhile.
        before, version = found or (None, None)
        self._me = replace(self._me, number=before.number + 1 if before else 1)
        if not self._put(version):
            other = _read(self._store, self._collection)
            return other[0] if other else self._me
        self.fence = replace(self.fence, number=self._me.number)
        return None

    def holder(self, seconds: float) -> Holder | None:
        """Who holds the lock and renews it within so many seconds; None if nobody does."""
        found, alive = self._watch(seconds)
        return found[0] if found and alive else None

    def _watch(self, seconds: float) -> tuple[tuple[Holder, Any] | None, bool]:
        """The object as it is now, and whether it is changed twice, each time within so many seconds.

        One change is not enough: the last renewal of a job that was killed may still have been on its way.
        """
        found, deadline = _read(self._store, self._collection), time.monotonic() + seconds
        changes = 0
        while found is not None and not found[0].released and time.monotonic() < deadline:
            before = found[0]
            time.sleep(RENEWED_EVERY / 2)
            found = _read(self._store, self._collection)
            if found is not None and not found[0].released and found[0] != before:
                changes, deadline = changes + 1, time.monotonic() + seconds
                if changes == _ALIVE:
                    return found, True
        return found, False

    def renew(self) -> None:
        """Say that this job lives.

        Raises:
            LockLostError: another job has taken the lock.
            OSError: the store does not answer; whether the lock is held is not known.
        """
        with self._lock:
            self._me = replace(self._me, renewals=self._me.renewals + 1)
            try:
                if not self._put(self._version):
                    found = _read(self._store, self._collection)
                    raise _lost(self._collection, found[0] if found else None)
            except SimileError as error:  # or what is there now is no lock of this version of Simile
                self._lost = str(error)
                raise

    def noticed(self) -> None:
        """Between two pieces of work: go on unless a renewal has found the lock taken. Asks nobody.

        Raises:
            LockLostError: another job has taken the lock.
        """
        if self._lost:
            raise LockLostError(self._lost)

    def check(self) -> None:
        """Before a write: go on only if the lock is certainly held.

        Raises:
            LockLostError: another job has taken the lock.
            SimileError: the store does not answer, so that nobody can know.
        """
        self.noticed()
        if time.monotonic() - self._sure > SURE_FOR:
            with _certain(self.fence.home, self._collection):
                self.renew()

    def release(self) -> None:
        """Let it go at once; the object stays, because it holds the fencing number."""
        with self._lock:
            self._me = replace(self._me, renewals=self._me.renewals + 1, released=True)
            self._put(self._version)

    def _put(self, version: Any) -> bool:
        """Write the object if it still is `version` (None: if there is none)."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        began = time.monotonic()
        for _ in range(2):
            mode: Any = "create" if version is None else version
            try:
                done: Any = obstore.put(self._store, _path(self._collection), self._me.to_json(), mode=mode)
            except (AlreadyExistsError, PreconditionError):
                found = _read(self._store, self._collection)
                if found is None or found[0].job != self._me.job:
                    return False
                # The object is this job's own: the answer to a write was lost, and the store had done it.
                done = version = found[1]
                if found[0] != self._me:
                    continue
            except (BaseError, FileNotFoundError) as error:  # no file: there is no such bucket
                raise OSError(f"the lock cannot be written: {reason(error)}") from error
            self._version, self._sure = _unchanged(done), began
            return True
        return False


@contextmanager
def _certain(home: str, collection: str) -> Iterator[None]:
    """Who cannot learn whether the lock is held must not write, and says so."""
    try:
        yield
    except OSError as error:
        raise SimileError(
            f"The home {home} does not answer, so it is unknown whether this job still holds '{collection}': "
            f"{error}. This job has stopped writing; run it again when the home answers."
        ) from error


def _path(collection: str) -> str:
    return f"locks/{collection}.json"


def _read(store: ObjectStore, collection: str) -> tuple[Holder, Any] | None:
    """The holder and the version of the object; None where there is none."""
    import obstore
    from obstore.exceptions import BaseError

    try:
        found = obstore.get(store, _path(collection))
        data = bytes(found.bytes())
    except FileNotFoundError as error:
        if no_bucket(error):
            raise OSError(f"the lock cannot be read: {reason(error)}") from error
        return None
    except BaseError as error:
        raise OSError(f"the lock cannot be read: {reason(error)}") from error
    return Holder.from_json(data), _unchanged(found.meta)


def _unchanged(found: Any) -> dict[str, str]:
    """The condition "if it is still this version": by ETag, or by what Google and Azure call a version."""
    return {name: found[name] for name in ("e_tag", "version") if found.get(name)}


def _lost(collection: str, holder: Holder | None) -> LockLostError:
    if holder is None:
        return LockLostError(
            f"The lock of '{collection}' was deleted while this job held it, so another job may have begun. "
            "This one has stopped writing; run it again when no other is running."
        )
    return LockLostError(
        f"Another job has taken over '{collection}' (process {holder.process} on {holder.host}), because "
        f"this one did not renew its lock for {WATCHED_FOR:.0f} s. This one has stopped writing; run it "
        "again when the other is done."
    )
