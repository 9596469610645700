"""Rows that did not become points, with the reason; kept in one table a collection.

<home>/rejects/<collection>.parquet: id, place, stage, reason, first_bytes (hexadecimal), kind, all strings.
Tables from before `kind` (2026) are read as well.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline.home import filesystem, write_file

__all__ = ["Reject", "RejectGroup", "RejectLog", "grouped", "read_rejects", "reject_of"]

_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("id", "place", "stage", "reason", "first_bytes", "kind")]
)
_EXAMPLES = 3  # of each kind
# What differs between reasons of one kind: quoted names, what an encoder is called, numbers.
_PARTICULARS = re.compile(r"'[^']*'|\"[^\"]*\"|\S+:\S+(?= gives )|\d[\d.,]*")


@dataclass(frozen=True)
class Reject:
    """A picture, or a row of the source, that did not become a point.

    Attributes:
        id: of the point that it would have been; None where its bytes could not be read.
        stage: in which it failed: plan, decode, preprocess or embed.
        reason: one sentence.
        first_bytes: of the file, hexadecimal.
        place: `file:row` in the source; empty where a picture is meant, wherever it stands.
        kind: what is wrong in a few words, the same for every picture of its kind; empty in older tables.
    """

    id: str | None
    stage: str
    reason: str
    first_bytes: str = ""
    place: str = ""
    kind: str = ""

    @property
    def group(self) -> str:
        """Stage and kind, by which rejects are counted. Of older ones, the reason without its particulars."""
        return f"{self.stage}: {self.kind or _PARTICULARS.sub('…', self.reason)[:120]}"


@dataclass(frozen=True)
class RejectGroup:
    """All rejects of one kind.

    Attributes:
        count: how many they are.
        examples: the first few.
    """

    count: int
    examples: tuple[Reject, ...]


def grouped(rejects: Iterable[Reject]) -> dict[str, RejectGroup]:
    """Every group of these rejects, the largest first."""
    found: dict[str, list[Reject]] = {}
    for reject in rejects:
        found.setdefault(reject.group, []).append(reject)
    largest = sorted(found.items(), key=lambda item: -len(item[1]))
    return {name: RejectGroup(len(those), tuple(those[:_EXAMPLES])) for name, those in largest}


class RejectLog:
    """Rejects as they come: counted by group, with a few examples each, and kept packed until written."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Reject] = []
        self._groups: dict[str, RejectGroup] = {}
        self._tables: list[pa.Buffer] = []

    def add(self, rejects: Sequence[Reject]) -> None:
        """Enter some."""
        if not rejects:
            return
        self.count += len(rejects)
        self.first = [*self.first, *rejects][:_EXAMPLES]
        for name, group in grouped(rejects).items():
            before = self._groups.get(name, RejectGroup(0, ()))
            examples = (*before.examples, *group.examples)[:_EXAMPLES]
            self._groups[name] = RejectGroup(before.count + group.count, examples)
        table = pa.Table.from_pylist([asdict(reject) for reject in rejects], schema=_SCHEMA)
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd")
        self._tables.append(buffer.getvalue())

    @property
    def groups(self) -> dict[str, RejectGroup]:
        """Every group, the largest first."""
        return dict(sorted(self._groups.items(), key=lambda item: -item[1].count))

    def write(self, home: str, collection: str) -> None:
        """Replace the table of a collection by these rejects of its latest run."""
        buffer = pa.BufferOutputStream()
        with pq.ParquetWriter(buffer, _SCHEMA, compression="zstd") as writer:
            for packed in self._tables:
                writer.write_table(pq.read_table(pa.BufferReader(packed)))
        write_file(f"{home}/rejects/{collection}.parquet", buffer.getvalue())


def reject_of(row: dict[str, Any]) -> Reject:
    """A reject from a row of a table, in which columns may be missing or null."""
    return Reject(**{"id": None, **{name: value for name, value in row.items() if value is not None}})


def read_rejects(home: str, collection: str) -> list[Reject] | None:
    """The table, or None where no job of this collection ran with this home."""
    files, path = filesystem(f"{home}/rejects/{collection}.parquet")
    if files.get_file_info(path).type != pafs.FileType.File:
        return None
    return [reject_of(row) for row in pq.read_table(path, filesystem=files).to_pylist()]
