"""Which pictures were erased: no later job stages them again.

<home>/staging/<collection>/erased.json: {"erased": [id, …], "pending": {id: {"places": […], "digests": […]}}}
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from pipeline.home import filesystem, write_file

__all__ = ["ErasedList", "Trace", "erased_list", "write_erased_list"]


@dataclass(frozen=True)
class Trace:
    """What is known of a picture while it is erased: places in its source, and sha256 of its bytes."""

    places: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


@dataclass(frozen=True)
class ErasedList:
    """Which pictures of a collection were erased, and which shall be.

    Attributes:
        erased: ids; nothing is left of them.
        pending: id -> what is known of a picture whose erasure has begun.
    """

    erased: frozenset[str] = frozenset()
    pending: dict[str, Trace] = field(default_factory=dict)

    @property
    def ids(self) -> frozenset[str]:
        """All of them: no job may stage these."""
        return self.erased | self.pending.keys()


def erased_list(home: str, collection: str) -> ErasedList:
    """What is kept on the home; empty where nothing was ever erased."""
    files, path = filesystem(_location(home, collection))
    try:
        with files.open_input_stream(path) as stream:
            told = json.loads(stream.read())
    except FileNotFoundError:
        return ErasedList()
    pending = {
        point: Trace(tuple(each["places"]), tuple(each["digests"])) for point, each in told["pending"].items()
    }
    return ErasedList(frozenset(told["erased"]), pending)


def write_erased_list(home: str, collection: str, found: ErasedList) -> None:
    """Replace it."""
    pending = {point: asdict(trace) for point, trace in sorted(found.pending.items())}
    text = json.dumps({"erased": sorted(found.erased), "pending": pending})
    write_file(_location(home, collection), text.encode())


def _location(home: str, collection: str) -> str:
    return f"{home}/staging/{collection}/erased.json"
