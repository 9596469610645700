"""What lies in a tar of the WebDataset format: one pass over its headers, and nothing is unpacked."""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from pipeline.parsing import parse_json
from pipeline.printable import printable
from pipeline.sources.extensions import PICTURES, kind_of
from pipeline.sources.source import Fault
from pipeline.sources.storage import open_stream
from pipeline.sources.walk import readable

if TYPE_CHECKING:
    from huggingface_hub import HfFileSystem

__all__ = ["RULES", "TarIndex", "TarPicture", "index_tar"]

RULES = (1, *sorted(PICTURES))  # of what an index holds; by other ones every tar is read again

_NAME = re.compile(r"(?P<key>(?:.*/)?[^/.]+)\.(?P<ending>[^/]+)", re.DOTALL)
_TOLD = ("json", "cls", "txt")  # endings of what says something of the picture with the same key
_MOST_TOLD = 2**20  # bytes of such a member; what is larger is no label or caption
_BLOCK = 512  # bytes; a tar consists of blocks, and ends with one of zeros


@dataclass(frozen=True)
class TarPicture:
    """A picture in a tar.

    Attributes:
        key: what all members of its group are called, without their endings.
        name: of the member.
        offset, size: bytes: where it lies.
    """

    key: str
    name: str
    offset: int
    size: int

    @property
    def ending(self) -> str:
        """What follows the key: `jpg`, or `left.jpg`, in small letters."""
        return self.name[len(self.key) + 1 :].lower()


@dataclass
class TarIndex:
    """What one pass over a tar found.

    Attributes:
        file: path within the source.
        pictures: in the order of the tar.
        told: key -> payload field -> value.
        left_out: kind -> members that are no pictures and say nothing.
        faults: groups without a picture, and what is damaged.
        damaged: whether members may be lost.
        unread: sentences on members that say something and cannot be read.
    """

    file: str
    pictures: list[TarPicture] = field(default_factory=list)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    damaged: bool = False
    unread: list[str] = field(default_factory=list)


def index_tar(root: str, file: str, hub: HfFileSystem | None = None) -> TarIndex:
    """The index of a tar. What is whole in a damaged or cut one is in it, and the rest is a fault.

    Args:
        root: the source, with `/` at its end.
        file: path within it.
        hub: the Hub's file system, where it was made by another process.

    Raises:
        OSError: it cannot be opened.
    """
    index, others = TarIndex(file), set()
    with open_stream(root + file, hub) as stream:
        for member in _members(index, stream):
            name = member.name.removeprefix("./")
            found = _NAME.fullmatch(name)
            ending = found["ending"].lower() if found else ""
            if not member.isreg() or member.issparse():
                index.left_out["no regular file"] += 1
            elif any(map(_is_hidden, name.split("/"))):
                index.left_out["hidden"] += 1
            elif found and kind_of(name) in PICTURES:
                index.pictures.append(TarPicture(found["key"], name, member.offset_data, member.size))
            elif found and ending in _TOLD:
                _tell(index, found["key"], ending, name, _told(stream, member))
            else:
                index.left_out[f".{kind_of(name)}" if kind_of(name) else "without an ending"] += 1
                others.add(found["key"] if found else name)
    silent = index.told.keys() - {picture.key for picture in index.pictures} - others
    index.faults += [
        Fault(readable(f"{file}/{key}"), "the group of this key has no picture") for key in sorted(silent)
    ]
    return index


def _members(index: TarIndex, stream: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """All members but folders that are there as a whole."""
    size = stream.seek(0, 2)
    stream.seek(0)
    try:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            while member := tar.next():
                tar.members = []  # type: ignore[attr-defined]  # or it keeps them all
                if member.isreg() and member.offset_data + member.size > size:
                    _damaged(index, f"the tar is cut short: it ends within '{readable(member.name)}'")
                    return
                if not member.isdir():
                    yield member
            stream.seek(tar.offset)
            end = stream.read(_BLOCK)
            if end.strip(b"\0") or len(end) < _BLOCK:
                _damaged(index, f"the tar is damaged or cut short at byte {tar.offset:,}")
    except tarfile.TarError as error:
        _damaged(index, f"it is no tar, or damaged or cut short ({error})")


def _is_hidden(part: str) -> bool:
    return part == "__MACOSX" or (part.startswith(".") and part not in (".", ".."))


def _damaged(index: TarIndex, reason: str) -> None:
    index.faults.append(Fault(readable(index.file), f"{reason}; fetch it again"))
    index.damaged = True


def _told(stream: BinaryIO, member: tarfile.TarInfo) -> bytes | None:
    if member.size > _MOST_TOLD:
        return None
    stream.seek(member.offset_data)
    return stream.read(member.size)


def _tell(index: TarIndex, key: str, ending: str, name: str, data: bytes | None) -> None:
    """Enter what a member says: the fields of an object, or a class or text under `cls` or `text`."""
    fields = index.told.setdefault(key, {})
    try:
        if data is None:
            raise ValueError(f"it has more than {_MOST_TOLD:,} bytes")
        if ending == "json":
            said = parse_json(data)
            fields |= said if isinstance(said, dict) else {"json": said}
        else:
            fields.setdefault("cls" if ending == "cls" else "text", data.decode().strip())
    except ValueError as error:  # of JSON, or of UTF-8
        index.unread.append(f"'{readable(f'{index.file}/{name}')}' is not read: {printable(error, 200)}")
