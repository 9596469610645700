"""The pictures of a collection that the page does not show, as a file that its owner can also edit.

<home>/hidden/<collection>.txt: a line a picture, its id; what follows `#` is a remark

Ids are hashes of the collection's name and the picture's bytes, so the list holds for all later versions.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable

import pyarrow.fs as pafs

from pipeline.errors import SimileError
from pipeline.home import filesystem, is_remote, write_file
from pipeline.points import checked_id

__all__ = ["MOST_HIDDEN", "HiddenIds", "hidden_ids", "hide", "show"]

MOST_HIDDEN = 10_000  # each search names them all; whoever has more to hide deletes them
_REMOTE_SECONDS = 5.0  # between two looks at an object store, each of which costs a request
log = logging.getLogger("simile")


def hidden_ids(home: str, collection: str) -> list[str]:
    """The list in its order; lines that are no ids are left out, with a line in the log."""
    text = _read(_file(home, collection))
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        written = line.partition("#")[0].strip()
        try:
            found += [checked_id(written)] if written else []
        except SimileError as error:
            log.warning("%s, line %d: %s", _file(home, collection), number, error)
    return list(dict.fromkeys(found))[:MOST_HIDDEN]


def hide(home: str, collection: str, ids: Iterable[str], remark: str = "") -> int:
    """Add pictures to the list; returns how many it holds.

    Raises:
        SimileError: one is no id, or the list is full.
    """
    file, there = _file(home, collection), set(hidden_ids(home, collection))
    fresh = [one for one in dict.fromkeys(map(checked_id, ids)) if one not in there]
    if len(there) + len(fresh) > MOST_HIDDEN:
        raise SimileError(
            f"'{collection}' would hide {len(there) + len(fresh):,} pictures, more than {MOST_HIDDEN:,}; "
            "delete them with python -m ray_jobs.delete instead."
        )
    behind = f"  # {' '.join(remark.split())}" if remark.strip() else ""
    text = _read(file)
    start = text if not text or text.endswith("\n") else f"{text}\n"
    write_file(file, (start + "".join(f"{one}{behind}\n" for one in fresh)).encode())
    return len(there) + len(fresh)


def show(home: str, collection: str, ids: Iterable[str]) -> int:
    """Take pictures off the list; returns how many it holds.

    Raises:
        SimileError: one is no id.
    """
    file, given = _file(home, collection), {checked_id(one) for one in ids}
    lines = [line for line in _read(file).splitlines() if line.partition("#")[0].strip().lower() not in given]
    write_file(file, "".join(f"{line}\n" for line in lines).encode())
    return len(hidden_ids(home, collection))


class HiddenIds:
    """The list of one collection as it is now: a file that changed is read again with the next question."""

    def __init__(self, home: str, collection: str) -> None:
        self._home, self._collection = home, collection
        self._patience = _REMOTE_SECONDS if is_remote(home) else 0.0
        self._lock = threading.Lock()
        self._seen: object = None
        self._looked = -self._patience
        self._ids: frozenset[str] = frozenset()

    def __call__(self) -> frozenset[str]:
        """The ids that are hidden."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked < self._patience:
                return self._ids
            files, path = filesystem(_file(self._home, self._collection))
            about = files.get_file_info(path)
            seen = (about.type, about.mtime_ns, about.size)
            if seen != self._seen:
                self._ids = frozenset(hidden_ids(self._home, self._collection))
                self._seen = seen
            self._looked = now
            return self._ids


def _file(home: str, collection: str) -> str:
    return f"{home}/hidden/{collection}.txt"


def _read(location: str) -> str:
    files, path = filesystem(location)
    if files.get_file_info(path).type != pafs.FileType.File:
        return ""
    with files.open_input_file(path) as file:
        return bytes(file.read()).decode("utf-8", "replace")
