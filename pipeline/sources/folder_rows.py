"""The rows of a folder of pictures, whose files are opened by Ray tasks."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.sources.walk import readable

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data

    from pipeline.sources.source import Source

__all__ = ["MAX_IMAGE_BYTES", "read_folder_rows", "read_inside"]

FILES_PER_BLOCK = 64  # pictures that one task reads
MIN_BLOCKS = 8  # so that two actors share even a few pictures
MAX_IMAGE_BYTES = 512 * 2**20  # a larger "image" would take the worker's memory; it is left to be rejected


def read_folder_rows(
    source: Source, columns: Sequence[str], limit: int | None, num_cpus: float
) -> ray.data.Dataset:
    """See `read_rows`."""
    import pyarrow as pa
    import ray.data

    assert source.table is not None
    table = source.table.slice(0, limit)
    files = table[source.image_column].combine_chunks()
    shown = {source.row_name(column): table[column] for column in columns}
    keys = pa.array(_keys([os.fsdecode(file) for file in files.to_pylist()]), pa.uint64())
    rows = pa.table({"row_key": keys, "file": files, **shown})
    step = min(FILES_PER_BLOCK, max(1, math.ceil(rows.num_rows / MIN_BLOCKS)))
    blocks = [rows.slice(start, step) for start in range(0, rows.num_rows, step)]
    return ray.data.from_arrow(blocks).map_batches(
        partial(_read_files, root=source.root),
        batch_format="pyarrow",
        batch_size=None,
        zero_copy_batch=True,
        num_cpus=num_cpus,
    )


def _read_files(table: pa.Table, *, root: str) -> pa.Table:
    """Add the column `image`, null bytes where a file cannot be read; names become text."""
    import pyarrow as pa

    paths = [os.fsdecode(file) for file in table["file"].to_pylist()]
    names = [readable(path) for path in paths]
    images = [
        {"bytes": _read_file(root + path), "path": name} for path, name in zip(paths, names, strict=True)
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = table.set_column(1, "file", pa.array(names, pa.string()))
    return table.add_column(2, "image", pa.array(images, kind))


def read_inside(root: str, path: str) -> bytes | None:
    """The bytes of a file that a row names; None if it cannot be read, or lies outside of `root`."""
    whole = os.path.realpath(root + path)
    return _read_file(whole) if whole.startswith(os.path.realpath(root) + os.sep) else None


def _read_file(path: str) -> bytes | None:
    file = Path(path)
    try:
        return file.read_bytes() if file.stat().st_size <= MAX_IMAGE_BYTES else None
    except (OSError, ValueError):  # of a name with a zero byte
        return None


def _keys(files: Sequence[str]) -> list[int]:
    """One uint64 a row, from the file's name and how often it came before: metadata may list it twice."""
    seen: dict[str, int] = {}
    keys = []
    for file in files:
        seen[file] = seen.get(file, -1) + 1
        digest = hashlib.blake2b(json.dumps([file, seen[file]]).encode(), digest_size=8).digest()
        keys.append(int.from_bytes(digest, "little"))
    return keys
