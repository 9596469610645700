"""The pictures of a folder, wherever it lies: each is a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import SimileError
from pipeline.home import is_remote
from pipeline.sources.source import CHANGED, NOT_READABLE, NOT_THERE, FileState, Unread
from pipeline.sources.storage import change_of, is_inside, read_file
from pipeline.sources.walk import readable

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.sources.walk import ListedFile

__all__ = ["FolderReader", "places_of", "read_inside", "read_locations"]

_AT_ONCE = 16  # requests of a task to an object store, which answers each after tens of milliseconds


@dataclass(frozen=True)
class FolderReader:
    """A `Reader` whose places are struct<path: binary, size, changed: int64>, see `places_of`."""

    root: str
    tasks: int | None = None
    cut_by_names: bool = True

    def names(self, places: pa.Array) -> list[str]:
        """The paths; bytes that are no UTF-8 are surrogates."""
        return [os.fsdecode(path) for path in places.field("path").to_pylist()]

    def sizes(self, places: pa.Array) -> list[int]:
        """Of the files, as they were listed."""
        sizes: list[int] = places.field("size").to_pylist()
        return sizes

    def files(self, places: pa.Array) -> list[str]:
        """The paths as they are shown."""
        return [readable(path) for path in self.names(places)]

    def read(self, places: pa.Array, most: int) -> list[bytes | Unread | None]:
        """The files that are still what they were when they were listed.

        Args:
            places: of the files.
            most: their sizes were known before, so that this is kept.
        """
        times = places.field("changed").to_pylist()
        listed = [FileState(*state) for state in zip(self.sizes(places), map(str, times), strict=True)]
        return read_locations([self.root + path for path in self.names(places)], sys.maxsize, listed)


def places_of(files: Sequence[ListedFile]) -> pa.Array:
    """The places of N listed files: paths as bytes, sizes in bytes, and times in nanoseconds."""
    import pyarrow as pa

    columns = (
        pa.array([os.fsencode(file.path) for file in files], pa.binary()),
        pa.array([file.size for file in files], pa.int64()),
        pa.array([file.changed for file in files], pa.int64()),
    )
    return pa.StructArray.from_arrays(columns, ["path", "size", "changed"])


def read_locations(
    locations: Sequence[str], most: int, listed: Sequence[FileState] | None = None
) -> list[bytes | Unread | None]:
    """The bytes of each of N files. Those of an object store are asked for side by side.

    Args:
        locations: N paths or addresses.
        most: bytes after which no other file is begun; those that were not are None.
        listed: what the files were; a file that is not that any more is not given.
    """
    states: Sequence[FileState | None] = listed or [None] * len(locations)
    held = 0

    def read(location: str, state: FileState | None) -> bytes | Unread | None:
        nonlocal held
        if held >= most:
            return None
        found = _read(location, state)
        held += len(found) if isinstance(found, bytes) else 0
        return found

    if not any(map(is_remote, locations)):
        return list(map(read, locations, states))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(read, locations, states))


def read_inside(root: str, path: str) -> bytes | None:
    """The bytes of a file that a row names; None if it cannot be read, or lies outside of `root`."""
    found = _read(root + path) if is_inside(root, root + path) else NOT_READABLE
    return None if isinstance(found, Unread) else found


def _read(location: str, listed: FileState | None = None) -> bytes | Unread:
    found: bytes | Unread
    try:
        found = read_file(location)
    except SimileError as error:  # of an object store that this machine has no settings for
        return Unread(NOT_READABLE.kind, str(error))
    except FileNotFoundError:
        found = NOT_THERE
    except (OSError, ValueError):  # of a name with a zero byte
        found = NOT_READABLE
    return _as_listed(location, listed, found) if listed else found


def _as_listed(location: str, listed: FileState, found: bytes | Unread) -> bytes | Unread:
    """What was read of a file, unless that is not what was listed."""
    try:
        why = change_of(location, listed)
    except OSError:
        return NOT_READABLE
    if why is None and isinstance(found, bytes) and len(found) != listed.size:
        return CHANGED
    return why or found
