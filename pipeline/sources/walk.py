"""One walk over a folder: every file in it, in the order of their paths, and what cannot be entered.

Files come one after the other, so that a folder of any size can be counted, hashed or cut into slices by
names while it is listed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["ListedFile", "SkipReason", "raw_name", "readable", "walk"]

SkipReason = Literal[
    "hidden", "link outside", "broken link", "link to a listed folder", "unreadable", "no regular file"
]
_OF_MACOS = "__MACOSX"  # what macOS adds to archives: a second, unreadable file for each one


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One entry of a folder.

    Attributes:
        path: relative to the root, with `/` between folders and behind a folder that is skipped. Bytes that
            are no UTF-8 are surrogates in it, as `os.fsdecode` makes them.
        size: bytes.
        changed: modification time in nanoseconds.
        skipped: why the file is not read, or the folder not entered; None for a file that can be read.
    """

    path: str
    size: int = 0
    changed: int = 0
    skipped: SkipReason | None = None


def walk(root: str, follow_links: bool = False) -> Iterator[ListedFile]:
    """Every file below `root`, sorted by path. Nothing is opened.

    A link to a file within the root is a file like others. A link to a folder within the root is not entered:
    that folder is listed under its own name.

    Args:
        root: an absolute path.
        follow_links: whether links that lead outside of the root are followed. A folder is entered once,
            however many links lead to it, so that no circle has to be walked.

    Raises:
        OSError: the root itself cannot be listed.
    """
    real_root = os.path.realpath(root)
    entered = {_identity(Path(root).stat())}  # folders that links led to
    waiting = [("", iter(_sorted(root)), False)]
    while waiting:
        prefix, entries, by_link = waiting[-1]
        entry = next(entries, None)
        if entry is None:
            waiting.pop()
            continue
        path = prefix + entry.name
        try:
            skipped = _skipped(entry, real_root, follow_links)
            if skipped:
                yield ListedFile(path + "/" * entry.is_dir(), skipped=skipped)
            elif not entry.is_dir():
                found = entry.stat()
                yield ListedFile(path, found.st_size, found.st_mtime_ns)
            elif _enter(entry, by_link, entered):
                waiting.append((f"{path}/", iter(_sorted(entry.path)), by_link or entry.is_symlink()))
            else:
                yield ListedFile(f"{path}/", skipped="link to a listed folder")
        except OSError:  # no permission, a server that is away, or gone since it was listed
            yield ListedFile(path + "/" * _is_folder(entry), skipped="unreadable")


def _sorted(folder: str) -> list[os.DirEntry[str]]:
    """The entries in the order that the paths of all files below them have."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name + "/" * _is_folder(entry))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _skipped(entry: os.DirEntry[str], real_root: str, follow_links: bool) -> SkipReason | None:
    if entry.name.startswith(".") or entry.name == _OF_MACOS:
        return "hidden"
    if not entry.is_symlink():
        return None if entry.is_dir() or entry.is_file() else "no regular file"
    if not Path(entry.path).exists():
        return "broken link"
    inner = Path(os.path.relpath(os.path.realpath(entry.path), real_root)).parts
    if inner[:1] == (os.pardir,):
        return None if follow_links else "link outside"
    listed = not any(part.startswith(".") for part in inner)
    return "link to a listed folder" if entry.is_dir() and listed else None


def _enter(entry: os.DirEntry[str], by_link: bool, entered: set[tuple[int, int]]) -> bool:
    """Whether a folder is entered. Only those behind links are remembered: others come up once anyway."""
    if not (by_link or entry.is_symlink()):
        return True
    folder = _identity(Path(entry.path).stat())
    known = folder in entered
    entered.add(folder)
    return not known


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def readable(path: str) -> str:
    r"""A path as text that any file can hold: bytes that are no UTF-8 are written `\xf1`."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    return path


def raw_name(path: str) -> str:
    r"""The inverse of `readable` for a path that had such bytes; also of what Python's JSON makes of them.

    >>> raw_name(readable("a\udcf1o.jpg")) == raw_name(r"a\udcf1o.jpg") == "a\udcf1o.jpg"
    True
    """
    changed = re.sub(
        rb"\\(?:x|udc)([89a-f][0-9a-f])", lambda found: bytes.fromhex(found[1].decode()), path.encode()
    )
    return os.fsdecode(changed)
