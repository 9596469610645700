"""The rows of a source whose table the driver holds: Ray tasks read the pictures of a slice each."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from pipeline.sources.source import Unread

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data

    from pipeline.sources.source import Reader, Source

__all__ = ["read_slice", "read_table_rows"]

ROWS_PER_BLOCK = 64  # pictures that one task reads
MIN_BLOCKS = 8  # so that two actors share even a few pictures


def read_table_rows(
    source: Source, columns: Sequence[str], limit: int | None, num_cpus: float
) -> ray.data.Dataset:
    """See `read_rows`."""
    import pyarrow as pa
    import ray.data
    from ray.data import TaskPoolStrategy

    assert source.table is not None and source.reader is not None
    table = source.table.slice(0, limit)
    places = table[source.image_column].combine_chunks()
    shown = {source.row_name(column): table[column] for column in columns}
    keys = pa.array(_keys(source.reader.names(places)), pa.uint64())
    rows = pa.table({"row_key": keys, "image": places, **shown})
    step = min(ROWS_PER_BLOCK, max(1, math.ceil(rows.num_rows / MIN_BLOCKS)))
    blocks = [rows.slice(start, step) for start in range(0, rows.num_rows, step)]
    return ray.data.from_arrow(blocks).map_batches(
        partial(read_slice, reader=source.reader),
        batch_format="pyarrow",
        batch_size=None,
        zero_copy_batch=True,
        num_cpus=num_cpus,
        compute=TaskPoolStrategy(size=source.reader.tasks),
    )


def read_slice(rows: pa.Table, *, reader: Reader) -> pa.Table:
    """The places in the column `image` become pictures, with null bytes where `unread` says why there are
    none; the column `file` is added."""
    import pyarrow as pa

    places = rows["image"].combine_chunks()
    files, found = reader.files(places), reader.read(places)
    images = [
        {"bytes": None if isinstance(data, Unread) else data, "path": file}
        for data, file in zip(found, files, strict=True)
    ]
    unread = [data._asdict() if isinstance(data, Unread) else None for data in found]
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    why = pa.struct([("kind", pa.string()), ("reason", pa.string())])
    rows = rows.set_column(1, "image", pa.array(images, image))
    rows = rows.add_column(1, "file", pa.array(files, pa.string()))
    return rows.add_column(3, "unread", pa.array(unread, why))


def _keys(names: Sequence[str]) -> list[int]:
    """One uint64 a row, from its name and how often that came before: metadata may list a file twice."""
    seen: dict[str, int] = {}
    keys = []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        digest = hashlib.blake2b(json.dumps([name, seen[name]]).encode(), digest_size=8).digest()
        keys.append(int.from_bytes(digest, "little"))
    return keys
