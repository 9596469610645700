"""Which units a version is made of, kept with it: what a later job compares its source with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import Store

__all__ = ["Entry", "Record", "forget_record", "read_record", "write_record"]

RECORD = "units.parquet"  # attachment of a version
_ABOUT = b"simile.job"


@dataclass(frozen=True, eq=False)
class Entry:
    """A unit of a version.

    Attributes:
        unit: its name.
        rows: numbers of the rows that count, (N,) int32; None: all of them.
        credit: that the marks of its points were made with.
        source: the address of the source that it is of, see `live.source_key`; None: nobody knows. Two
            sources may have the same unit.
    """

    unit: str
    rows: np.ndarray | None = None
    credit: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Record:
    """What a version was made of by its last job.

    Attributes:
        entries: units of that job's source, in its order, then others whose points stayed.
        job: all that decided what that job found, beside its units; see `plan.facts_of`.
        source, rejected, kept: counts of its account.
        whole: what counts in the entries is what the version holds; else its points have to be asked.
    """

    entries: Sequence[Entry]
    job: list[Any] = field(default_factory=list)
    source: int = 0
    rejected: int = 0
    kept: int = 0
    whole: bool = True

    def units(self) -> set[str]:
        """The names of all its units."""
        return {entry.unit for entry in self.entries}


def write_record(store: Store, version: str, record: Record) -> None:
    """Keep it with the version."""
    table = pa.table(
        {
            "unit": pa.array([entry.unit for entry in record.entries], pa.string()),
            "rows": pa.array([entry.rows for entry in record.entries], pa.list_(pa.int32())),
            "credit": pa.array([entry.credit for entry in record.entries], pa.string()),
            "source": pa.array([entry.source for entry in record.entries], pa.string()),
        }
    )
    names = ("job", "source", "rejected", "kept", "whole")
    about = {name: getattr(record, name) for name in names}
    buffer = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({_ABOUT: json.dumps(about)}), buffer, compression="zstd")
    store.attach(version, RECORD, buffer.getvalue().to_pybytes())


def read_record(store: Store, version: str) -> Record | None:
    """What was kept; None where an older Simile made the version."""
    data = store.attachment(version, RECORD)
    if not data:
        return None
    table = pq.read_table(pa.BufferReader(data))
    about = json.loads((table.schema.metadata or {})[_ABOUT])
    units, credits = table["unit"].to_pylist(), table["credit"].to_pylist()
    rows = [None if each is None else np.array(each, np.int32) for each in table["rows"].to_pylist()]
    if "source" in table.column_names:
        sources = table["source"].to_pylist()
    else:  # an earlier record: only units of that job's own source have no numbers of rows
        own = about["job"][0] if about["job"] else None
        sources = [own if each is None else None for each in rows]
    return Record([Entry(*each) for each in zip(units, rows, credits, sources, strict=True)], **about)


def forget_record(store: Store, version: str) -> None:
    """The next job has to look at every point: something was changed apart from its source."""
    record = read_record(store, version)
    if record:
        write_record(store, version, replace(record, whole=False))
