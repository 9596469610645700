"""Visitors' uploads by a reference that may stand in the page's address, and who may follow it.

The reference of an upload is no part of its path. It is followed for the browser that sent the upload, which
has a cookie that says so, and for everybody once its owner has shared it by "Copy link".
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from starlette.responses import Response

__all__ = ["OWNER_COOKIE", "OwnUploads", "owner_of", "remember_owner"]

OWNER_COOKIE = "simile-owner"
_MOST = 20_000  # uploads that are remembered; a deleted one is forgotten when there are more


@dataclass(frozen=True)
class _Upload:
    file: Path
    owner: str
    end: float  # seconds since 1970
    shared: bool = False


class OwnUploads:
    """Knows who sent each upload. What the disk budget has deleted is not found any more.

    Args:
        seconds: after which an upload is deleted, see `disk_budget.Allowance`.
        clock: seconds since 1970.
    """

    def __init__(self, seconds: float = 86_400.0, clock: Callable[[], float] = time.time) -> None:
        self._seconds, self._clock = seconds, clock
        self._uploads: dict[str, _Upload] = {}
        self._lock = threading.Lock()

    def add(self, file: Path, owner: str) -> None:
        """Remembers whose an upload is."""
        with self._lock:
            if len(self._uploads) >= _MOST:
                self._uploads = {key: one for key, one in self._uploads.items() if one.file.exists()}
            self._uploads[_reference(file)] = _Upload(file, owner, self._clock() + self._seconds)

    def reference(self, path: str) -> str | None:
        """What stands for an upload in an address; None of a file that is none."""
        reference = _reference(Path(path))
        return reference if reference in self._uploads else None

    def find(self, reference: str, owner: str | None) -> Path | None:
        """The upload, if this owner may see it and it is still there."""
        found = self._uploads.get(reference)
        if found is None or not found.file.exists():
            return None
        return found.file if found.shared or (owner and secrets.compare_digest(found.owner, owner)) else None

    def share(self, reference: str) -> datetime | None:
        """Lets everybody who has the reference see the upload; returns until when, None if it is gone."""
        with self._lock:
            found = self._uploads.get(reference)
            if found is None:
                return None
            self._uploads[reference] = replace(found, shared=True)
            return datetime.fromtimestamp(found.end, UTC)

    def is_shared(self, reference: str) -> bool:
        """Whether everybody who has the reference sees the upload."""
        found = self._uploads.get(reference)
        return bool(found and found.shared)


def owner_of(cookies: Mapping[str, str]) -> str | None:
    """Whose browser sends these cookies; None of one that has not sent a picture yet."""
    return cookies.get(OWNER_COOKIE) or None


def remember_owner(response: Response, owner: str, seconds: float = 86_400.0) -> None:
    """Lets a browser prove later that an upload is its own."""
    response.set_cookie(OWNER_COOKIE, owner, max_age=int(seconds), httponly=True, samesite="lax")


def _reference(file: Path) -> str:
    """A hash of the name that nobody guesses, so that an address does not tell where the file can be had."""
    return hashlib.sha256(file.parent.name.encode()).hexdigest()[:32]
