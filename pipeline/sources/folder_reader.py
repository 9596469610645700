"""The pictures of a folder, wherever it lies: each is a file."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import SimileError
from pipeline.home import is_remote
from pipeline.sources.source import NOT_READABLE, Unread
from pipeline.sources.storage import is_inside, read_file
from pipeline.sources.walk import readable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FolderReader", "read_inside", "read_locations"]

_AT_ONCE = 16  # requests of a task to an object store, which answers each after tens of milliseconds


@dataclass(frozen=True)
class FolderReader:
    """A `Reader` whose places are paths below `root`, as bytes."""

    root: str
    tasks: int | None = None

    def names(self, places: pa.Array) -> list[str]:
        """The paths; bytes that are no UTF-8 are surrogates."""
        return [os.fsdecode(path) for path in places.to_pylist()]

    def files(self, places: pa.Array) -> list[str]:
        """The paths as they are shown."""
        return [readable(path) for path in self.names(places)]

    def read(self, places: pa.Array) -> list[bytes | Unread]:
        """The files."""
        return read_locations([self.root + path for path in self.names(places)])


def read_locations(locations: list[str]) -> list[bytes | Unread]:
    """The bytes of each file. Those of an object store are asked for side by side."""
    if not any(map(is_remote, locations)):
        return list(map(_read, locations))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(_read, locations))


def read_inside(root: str, path: str) -> bytes | None:
    """The bytes of a file that a row names; None if it cannot be read, or lies outside of `root`."""
    found = _read(root + path) if is_inside(root, root + path) else NOT_READABLE
    return None if isinstance(found, Unread) else found


def _read(location: str) -> bytes | Unread:
    try:
        return read_file(location)
    except SimileError as error:  # of an object store that this machine has no settings for
        return Unread(NOT_READABLE.kind, str(error))
    except (OSError, ValueError):  # of a name with a zero byte
        return NOT_READABLE
