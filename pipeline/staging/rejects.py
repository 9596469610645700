"""Rows that did not become points, with the reason; kept in one table a collection.

<home>/rejects/<collection>.parquet: id, place, stage, reason, first_bytes (hexadecimal), all strings.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline.home import filesystem, write_file

__all__ = ["Reject", "read_rejects", "write_rejects"]

_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "place", "stage", "reason", "first_bytes")])


@dataclass(frozen=True)
class Reject:
    """A picture, or a row of the source, that did not become a point.

    Attributes:
        id: of the point that it would have been; None where its bytes could not be read.
        stage: in which it failed: plan, decode, preprocess or embed.
        reason: one sentence.
        first_bytes: of the file, hexadecimal.
        place: `file:row` in the source; empty where a picture is meant, wherever it stands.
    """

    id: str | None
    stage: str
    reason: str
    first_bytes: str = ""
    place: str = ""


def write_rejects(home: str, collection: str, rejects: Sequence[Reject]) -> None:
    """Replace the table of a collection by the rejects of its latest run."""
    table = pa.Table.from_pylist([asdict(reject) for reject in rejects], schema=_SCHEMA)
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    write_file(f"{home}/rejects/{collection}.parquet", buffer.getvalue())


def read_rejects(home: str, collection: str) -> list[Reject] | None:
    """The table, or None where no job of this collection ran with this home."""
    files, path = filesystem(f"{home}/rejects/{collection}.parquet")
    if files.get_file_info(path).type != pafs.FileType.File:
        return None
    return [Reject(**row) for row in pq.read_table(path, filesystem=files).to_pylist()]
