"""How much of the disk visitors may fill: their uploads, and the files that they export."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ARRIVING", "UPLOADS", "Allowance", "DiskBudget"]

UPLOADS, ARRIVING = "uploads", "arriving"  # folders below the one where Gradio keeps files
_NEW = 30.0  # seconds for which an upload counts as used: its search follows, perhaps in a queue
_BROKEN_OFF = 900.0  # seconds; an upload that still arrives has got a few bytes in this time
_EXPORTS = (".csv", ".json", ".jpg", ".txt", ".zip")


@dataclass(frozen=True)
class Allowance:
    """What may lie on the disk.

    Attributes:
        total, visitor, exports: bytes of all uploads, of one visitor's and of all exports.
        files: number of uploads of one visitor; `shared_files`: of all who come through a tunnel or proxy.
        seconds: after which an upload or export is deleted.
        shared: bytes of the uploads of all who come through a tunnel or a proxy on this machine.
    """

    total: int = 2_000_000_000
    visitor: int = 200_000_000
    shared: int = 1_500_000_000
    exports: int = 500_000_000
    files: int = 2000
    shared_files: int = 5000
    seconds: float = 86_400.0


@dataclass(frozen=True)
class _Upload:
    file: Path
    visitor: str
    size: int
    since: float  # by the clock
    modified: float  # a later time of modification says that it was searched from

    def last_use(self, now: float) -> tuple[bool, float]:
        """Never used ones first, unless they have just come; then the one that was used longest ago."""
        try:
            used = self.file.stat().st_mtime
        except OSError:
            return False, 0.0
        return used > self.modified or now - self.since < _NEW, used


class DiskBudget:
    """Knows the uploads in a folder, and deletes some when there are too many or when they are too old.

    Whoever sends too much loses uploads of his own: first those that nobody searched from within half a
    minute, then those that were used longest ago.
    """

    def __init__(
        self, folder: Path, allowed: Allowance | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder, self._allowed, self._clock = folder, allowed or Allowance(), clock
        self._uploads: list[_Upload] = []
        self._lock = threading.Lock()

    def keep(self, file: Path, visitor: str) -> None:
        """Counts an upload, which lies in a folder of its own.

        Args:
            visitor: whose it is: `rate_limit.network_of` his address.
        """
        about = file.stat()
        with self._lock:
            self._uploads.append(_Upload(file, visitor, about.st_size, self._clock(), about.st_mtime))
            self._make_room(visitor)

    def sweep(self) -> None:
        """Deletes what is too old: uploads, exports, and what is left of uploads that were broken off."""
        now = self._clock()
        with self._lock:
            for one in [one for one in self._uploads if now - one.since > self._allowed.seconds]:
                self._delete(one)
        for left in (self.folder / ARRIVING).glob("*"):
            if now - max((f.stat().st_mtime for f in (left, *left.rglob("*"))), default=0) > _BROKEN_OFF:
                shutil.rmtree(left, ignore_errors=True)
        self._sweep_exports(now)

    def _sweep_exports(self, now: float) -> None:
        found = [f for f in self.folder.glob("*/*") if f.suffix in _EXPORTS]
        newest = sorted(((f.stat().st_mtime, f.stat().st_size, f) for f in found), reverse=True)
        size = 0
        for modified, own, file in newest:
            size += own
            if size > self._allowed.exports or now - modified > self._allowed.seconds:
                file.unlink(missing_ok=True)

    def _make_room(self, visitor: str) -> None:
        allowed = self._allowed
        size, files = (
            (allowed.shared, allowed.shared_files) if visitor == "here" else (allowed.visitor, allowed.files)
        )
        while len(self._of(visitor)) > files or sum(one.size for one in self._of(visitor)) > size:
            self._delete(self._least(visitor))
        while sum(one.size for one in self._uploads) > self._allowed.total:
            sizes: Counter[str] = Counter()
            for one in self._uploads:
                sizes[one.visitor] += one.size
            self._delete(self._least(sizes.most_common(1)[0][0]))

    def _least(self, visitor: str) -> _Upload:
        now = self._clock()
        return min(self._of(visitor), key=lambda one: one.last_use(now))

    def _of(self, visitor: str) -> list[_Upload]:
        return [one for one in self._uploads if one.visitor == visitor]

    def _delete(self, upload: _Upload) -> None:
        self._uploads.remove(upload)
        with suppress(FileNotFoundError):
            shutil.rmtree(upload.file.parent)
