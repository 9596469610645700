"""What was found in tars, kept on the home: tars from afar are read whole for the headers in them.

<home>/tars/<collection>/<place>.<state>.json.zlib, each written once, under its final name:
about: the name of the file · pictures: [key, name, offset, size] of each · told, left_out, faults, unread:
see `TarIndex`

`place` is a hash of where the tar lies, and `state` one of what it was when it was read: its size, its time,
and the rules of indexing. Whatever cannot be read as such a file is as if it were not there.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from pipeline.home import filesystem, listed, write_file
from pipeline.progress import say
from pipeline.sources.source import Fault, FileState, KeptTars
from pipeline.sources.storage import HUB, change_of
from pipeline.sources.tar_index import RULES, TarIndex, TarPicture

__all__ = ["forget_tars", "keeping", "kept_indexes", "tars_folder"]

_AT_ONCE = 8  # files; from afar each waits for its requests
# Bytes of an index as text: some four million pictures. Of a tar that has more, nothing is kept.
_MOST_BYTES = 2**29
# What is raised for a file that is gone, was cut short, or was written by something else.
_NOT_KEPT = (
    OSError,
    zlib.error,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_NO_TIME = "0"  # the stamp of a file whose listing tells no time, as that of a folder on the Hub


def tars_folder(home: str, collection: str) -> str:
    """Where the indexes of a collection's tars are, as path or URL."""
    return f"{home}/tars/{collection}"


def kept_indexes(kept: KeptTars | None, root: str, states: Mapping[str, FileState]) -> dict[str, TarIndex]:
    """Path within the source -> index, of those tars that an earlier job kept one of.

    Args:
        root: of the source, with `/` at its end.
        states: path -> the tar as the listing found it.
    """
    if kept is None:
        return {}
    there = _names(kept.folder)
    files = [
        file
        for file, state in states.items()
        if there.get(_name(root, file, state), _MOST_BYTES) < _MOST_BYTES
    ]

    def read(file: str) -> TarIndex | None:
        name = _name(root, file, states[file])
        try:
            files, path = filesystem(f"{kept.folder}/{name}")
            with files.open_input_file(path) as stream:
                return _unpacked(file, name, stream.read())
        except _NOT_KEPT:
            return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = zip(files, pool.map(read, files), strict=True)
        return {file: index for file, index in found if index is not None}


@contextmanager
def keeping(
    kept: KeptTars | None, root: str, states: Mapping[str, FileState]
) -> Iterator[Callable[[TarIndex], None]]:
    """What keeps an index. It does so behind the caller's back; after the block all of them are kept.

    One that is damaged is not: perhaps the way to the tar is. Neither is that of a tar which is not what was
    listed any more.

    Args:
        root, states: as of `kept_indexes`.
    """
    if kept is None or not kept.adds:
        yield lambda index: None
        return
    failed: list[str] = []

    def keep(index: TarIndex) -> None:
        state = states.get(index.file)
        if failed or index.damaged or state is None:
            return
        try:
            name = _name(root, index.file, state)
            data = _packed(index, name)
            if data is not None and change_of(root + index.file, state) is None:
                write_file(f"{kept.folder}/{name}", data)
        except OSError as error:
            failed.append(str(error))

    under_way: list[Future[None]] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield lambda index: under_way.append(pool.submit(keep, index))
    for each in under_way:
        each.result()
    if failed:
        say(f"note: what was found in tars cannot be kept in {kept.folder}, so it is read again: {failed[0]}")


def forget_tars(folder: str, root: str, states: Mapping[str, FileState], *, others: bool) -> None:
    """Delete what is kept of tars as they are not any more.

    Args:
        folder: see `tars_folder`.
        root, states: as of `kept_indexes`.
        others: also what is kept of other tars than these.
    """
    current = {_name(root, file, state) for file, state in states.items()}
    places = {_place(name) for name in current}
    for name in _names(folder).keys() - current:
        if others or _place(name) in places:
            files, path = filesystem(f"{folder}/{name}")
            with suppress(FileNotFoundError):
                files.delete_file(path)


def _names(folder: str) -> dict[str, int]:
    """Name -> bytes of each file that is complete."""
    return {file.base_name: file.size or 0 for file in listed(folder) if not file.base_name.startswith(".")}


def _name(root: str, file: str, state: FileState) -> str:
    """Of the Hub's files the hash tells what they are, whatever commit they are of."""
    any_commit = re.sub(r"@[^/]*", "", root) if root.startswith(HUB) else root
    known_by = root if state.stamp == _NO_TIME else any_commit
    place = _hash(any_commit, file)
    return f"{place}.{_hash(known_by, file, *map(str, state), *map(str, RULES))}.json.zlib"


def _place(name: str) -> str:
    return name.partition(".")[0]


def _hash(*texts: str) -> str:
    data = "\0".join(texts).encode(errors="surrogateescape")
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def _packed(index: TarIndex, name: str) -> bytes | None:
    """The file; None of what is too large or nested too deeply."""
    told = {
        "about": name,
        "pictures": [[each.key, each.name, each.offset, each.size] for each in index.pictures],
        "told": index.told,
        "left_out": index.left_out,
        "faults": [[fault.place, fault.reason] for fault in index.faults],
        "unread": index.unread,
    }
    try:
        text = json.dumps(told).encode()  # in ASCII: names may hold bytes that are no UTF-8
    except RecursionError:  # of what a member says
        return None
    return zlib.compress(text) if len(text) <= _MOST_BYTES else None


def _unpacked(file: str, name: str, data: bytes) -> TarIndex:
    """The inverse of `_packed`; a ValueError, TypeError, or an error of Python's own for anything else."""
    unzip = zlib.decompressobj()
    text = unzip.decompress(data, _MOST_BYTES)
    if not unzip.eof:
        raise ValueError("it is cut short, or too large")
    told: dict[str, Any] = json.loads(text)
    if told["about"] != name:
        raise ValueError("it is of another tar")
    return TarIndex(
        file,
        [TarPicture(str(key), str(name), int(at), int(size)) for key, name, at, size in told["pictures"]],
        {str(key): dict(fields) for key, fields in told["told"].items()},
        Counter({str(kind): int(count) for kind, count in told["left_out"].items()}),
        [Fault(str(place), str(reason)) for place, reason in told["faults"]],
        unread=[str(note) for note in told["unread"]],
    )
