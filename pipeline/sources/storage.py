"""Bytes of a source wherever it lies: on this machine, in an object store, or on the Hub.

A *location* is an absolute path, or an address: s3://, gs:// and az:// by the file systems of
`pipeline.home`, hf://datasets/… by that of `huggingface_hub`.
"""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from pipeline.home import filesystem, is_remote
from pipeline.sources.source import CHANGED, GONE, FileState, Unread
from pipeline.sources.walk import ListedFile

if TYPE_CHECKING:
    import pyarrow.fs as pafs
    from huggingface_hub import HfFileSystem

__all__ = [
    "BUFFER",
    "HUB",
    "MAX_IMAGE_BYTES",
    "OBJECT_STORES",
    "change_of",
    "hub_filesystem",
    "is_file",
    "is_inside",
    "list_remote",
    "on_filesystem",
    "open_stream",
    "read_file",
    "remote_file",
    "stat_files",
    "state_at",
]

HUB = "hf://"
OBJECT_STORES = ("s3://", "gs://", "az://")
MAX_IMAGE_BYTES = 512 * 2**20  # a larger "image" would take the worker's memory; it is left to be rejected
_SECOND = 10**9  # nanoseconds
BUFFER = 4 * 2**20  # bytes of one request; a tar of small members is then read in few of them


def hub_filesystem(bare: bool = False) -> HfFileSystem:
    """The Hub as a file system; it can be sent to Ray tasks, with the endpoint and token of this process.

    Args:
        bare: it knows no listing yet; otherwise those that this process has are sent along.
    """
    from huggingface_hub import HfFileSystem, constants

    from pipeline.hub import token

    return HfFileSystem(endpoint=constants.ENDPOINT, token=token(), skip_instance_cache=bare)


def on_filesystem(location: str, hub: HfFileSystem | None = None) -> tuple[pafs.FileSystem, str]:
    """The pyarrow file system of a location, and the path on it.

    Args:
        hub: the Hub's, where it was made by another process; by default that of this one.
    """
    import pyarrow.fs as pafs

    if location.startswith(HUB):
        found = pafs.PyFileSystem(pafs.FSSpecHandler(hub or hub_filesystem()))
        return found, location.removeprefix(HUB)
    return filesystem(location)


def open_stream(location: str, hub: HfFileSystem | None = None) -> BinaryIO:
    """A file to read and to seek in.

    Args:
        hub: as of `on_filesystem`.

    Raises:
        OSError: it is not there, or may not be read.
    """
    if not is_remote(location):
        return Path(location).open("rb")
    files, path = on_filesystem(location, hub)
    return io.BufferedReader(cast(io.RawIOBase, files.open_input_file(path)), BUFFER)


def read_file(location: str, most: int = MAX_IMAGE_BYTES) -> bytes:
    """The whole file.

    Raises:
        OSError: it is not there, may not be read, or has more than `most` bytes.
    """
    with open_stream(location) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise OSError(f"it has more than {most / 2**20:.0f} MiB")
    return data


def is_inside(root: str, location: str) -> bool:
    """Whether a location lies below `root`, links and `..` followed."""
    if is_remote(root):
        scheme, path = location.split("://", 1) if is_remote(location) else ("", "")
        return f"{scheme}://{posixpath.normpath(path)}".startswith(root.rstrip("/") + "/")
    try:
        real = os.path.realpath(location)
    except ValueError:  # of a zero byte, which is in no name of a file
        return False
    return real.startswith(os.path.realpath(root).rstrip(os.sep) + os.sep)


def is_file(location: str) -> bool:
    """Whether there is a file, not a folder."""
    import pyarrow.fs as pafs

    if not is_remote(location):
        return Path(location).is_file()
    files, path = on_filesystem(location)
    return bool(files.get_file_info(path.rstrip("/")).type == pafs.FileType.File)


def stat_files(root: str, paths: Sequence[str]) -> list[ListedFile]:
    """Size and time of each of these files below `root` that is there."""
    import pyarrow.fs as pafs

    if not is_remote(root):
        there = [(path, Path(root + path)) for path in paths]
        stats = [(path, file.stat()) for path, file in there if file.is_file()]
        return [ListedFile(path, found.st_size, found.st_mtime_ns) for path, found in stats]
    files, top = on_filesystem(root)
    infos = files.get_file_info([top + path for path in paths])
    return [
        ListedFile(path, info.size or 0, info.mtime_ns or 0)
        for path, info in zip(paths, infos, strict=True)
        if info.type == pafs.FileType.File
    ]


def state_at(location: str) -> FileState | None:
    """What a file is now; None where it is gone."""
    found = stat_files(*_parted(location))
    return FileState(found[0].size, str(found[0].changed)) if found else None


def change_of(location: str, listed: FileState) -> Unread | None:
    """Why a file is not what the listing found; None while it is.

    Look after reading: bytes of a file that is still the same then are those that were listed. A commit on
    the Hub does not change. Times of object stores count in whole seconds: some list milliseconds, and give
    seconds when they are asked for a single object.

    Raises:
        OSError: the file system does not say.
    """
    if location.startswith(HUB):
        return None
    now = state_at(location)
    if now is None:
        return GONE
    tick = _SECOND if is_remote(location) else 1
    same = now.size == listed.size and int(now.stamp) // tick == int(listed.stamp) // tick
    return None if same else CHANGED


def _parted(location: str) -> tuple[str, list[str]]:
    folder, slash, name = location.rpartition("/")
    return folder + slash, [name]


def list_remote(root: str) -> Iterator[ListedFile]:
    """Every file below an address, sorted by path, from one listing that nothing has cached.

    Args:
        root: of a folder, with `/` at its end.

    Raises:
        OSError: there is nothing, or it may not be listed.
    """
    import pyarrow.fs as pafs

    files, path = on_filesystem(root)
    top = path.rstrip("/") + "/"
    found = files.get_file_info(pafs.FileSelector(top.rstrip("/"), recursive=True))
    for info in sorted(found, key=lambda info: info.path):
        inner = info.path.removeprefix(top)
        if info.type == pafs.FileType.File:
            yield remote_file(inner, info.size or 0, info.mtime_ns or 0)


def remote_file(path: str, size: int = 0, changed: int = 0) -> ListedFile:
    """A file in a bucket or on the Hub; hidden where its name or a folder's says so."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))
    return ListedFile(path, size, changed, "hidden" if hidden else None)
