"""Insights as tables: the cluster of every picture, unusual pictures, and labels that may be wrong."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.home import write_file
from pipeline.insights.examine import Insights

__all__ = ["write_insights"]


def write_insights(found: Insights, folder: str) -> list[str]:
    """Write `pictures.parquet` and `doubtful.parquet`; returns their addresses.

    `pictures`: `id`, `cluster` (number from 1), `name` of the cluster, `typical` (rank within it, from 1),
    `unusual` (rank, from 1; null beyond the first 48). `doubtful`: `id`, `field`, `label`, `suggested`, and
    the shares `own` and `other` of the neighbours with these.

    Args:
        folder: an absolute path, or URL of an object store.
    """
    tables = {"pictures.parquet": _pictures(found), "doubtful.parquet": _doubtful(found)}
    for name, table in tables.items():
        stream = pa.BufferOutputStream()
        pq.write_table(table, stream)
        write_file(f"{folder}/{name}", stream.getvalue())
    return [f"{folder}/{name}" for name in tables]


def _pictures(found: Insights) -> pa.Table:
    number = np.zeros(len(found.ids), np.int64)
    typical = np.zeros(len(found.ids), np.int64)
    for at, cluster in enumerate(found.clusters):
        number[cluster.members] = at
        typical[cluster.members] = np.arange(1, len(cluster.members) + 1)
    unusual: list[int | None] = [None] * len(found.ids)
    for rank, place in enumerate(found.unusual, 1):
        unusual[place] = rank
    columns: dict[str, Any] = {
        "id": found.ids,
        "cluster": number + 1,
        "name": [found.clusters[at].name for at in number],
        "typical": typical,
        "unusual": pa.array(unusual, pa.int64()),
    }
    return pa.table(columns)


def _doubtful(found: Insights) -> pa.Table:
    rows = [
        (found.ids[doubt.place], each.field, doubt.label, doubt.suggested, doubt.own, doubt.other)
        for each in found.fields
        for doubt in each.doubts
    ]
    texts = [(name, pa.string()) for name in ("id", "field", "label", "suggested")]
    schema = pa.schema([*texts, ("own", pa.float64()), ("other", pa.float64())])
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
