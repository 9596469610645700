"""The rows of a source as a Ray Dataset, and what is in a batch of them.

Images stay compressed and travel from storage to the worker that needs them; the driver sees footers and
file names only.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data

    from pipeline.sources.source import Source

BLOCK_BYTES = (
    4 * 2**20
)  # compressed: small enough to spread one file over actors, large enough to amortize a task
TARGET_BLOCK_BYTES = 32 * 2**20  # Ray's 128 MiB is for numbers; a reader holds a few blocks at once
MIN_BLOCKS = 8  # so that two actors share even a source of a few megabytes
FILES_PER_BLOCK = 64  # images of a folder read by one task
MAX_IMAGE_BYTES = 512 * 2**20  # a larger "image" would take the worker's memory; it is left to be rejected
# pyarrow's scanner holds a row group whole, several times (measured: 500 MB on disk, 2.0 GB resident).
ROW_GROUP_COPIES = 4
LARGE_ROW_GROUP = 256 * 2**20  # bytes; from here on a read task reserves the memory it needs


def read_rows(
    source: Source, *, limit: int | None = None, columns: Sequence[str] | None = None, num_cpus: float = 0.5
) -> ray.data.Dataset:
    """Read a source lazily, in Ray tasks.

    Every row has `row_key` (uint64, the same at every read of the same file, whatever the columns), `file`
    (string, relative to the source), `image` (struct<bytes: binary, path: string>, or binary; null bytes
    where a file of a folder could not be read) and the payload columns under `source.row_name(column)`.
    Blocks arrive in any order; with `dataset.context.execution_options.preserve_order = True` rows arrive
    in the order of `source.files`.

    Args:
        source: what `resolve_source` returned.
        limit: only the first `limit` rows, in the order of the files; no other file is opened.
        columns: the payload columns to read; all of them by default.
        num_cpus: CPUs that one read task reserves. Leave some for it beside your actors.

    Raises:
        ValueError: `columns` names something that is not a payload column, or `limit` is below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    chosen = source.payload_columns if columns is None else tuple(columns)
    unknown = [column for column in chosen if column not in source.payload_columns]
    if unknown:
        raise ValueError(f"not payload columns of {source.name}: {', '.join(unknown)}")
    if source.kind == "imagefolder":
        return _read_folder(source, chosen, limit, num_cpus)
    return _read_parquet(source, chosen, limit, num_cpus)


def image_bytes(table: pa.Table) -> Iterator[bytes | None]:
    """The compressed image of each row of `table`, None where there is none."""
    import pyarrow as pa

    for chunk in table["image"].chunks:
        if pa.types.is_struct(chunk.type):
            # field() ignores the validity of the struct itself, flatten() does not
            chunk = chunk.flatten()[chunk.type.get_field_index("bytes")]
        for value in chunk:
            yield value.as_py()


@contextmanager
def classic_reader() -> Iterator[ray.data.DataContext]:
    """Ray's reader with one task a file, rows in file order, and no listing actors that start with every read
    and need CPUs of their own; yields the context that the reads inside get."""
    from ray.data import DataContext

    context = DataContext.get_current().copy()
    context.use_datasource_v2 = False
    with DataContext.current(context):
        yield context


def _read_parquet(
    source: Source, columns: Sequence[str], limit: int | None, num_cpus: float
) -> ray.data.Dataset:
    files, count = _first_files(source, limit)
    with classic_reader() as context:
        context.target_max_block_size = min(
            context.target_max_block_size or TARGET_BLOCK_BYTES, TARGET_BLOCK_BYTES
        )
        if limit is not None:
            context.execution_options.preserve_order = True  # "the first" means nothing otherwise
        # Ray's path column would replace a column of the files that is called `path`.
        if "path" in columns:
            parts = [_open_files(source, [file], columns, num_cpus, file) for file in files]
            rows = parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0]
        else:
            rows = _open_files(source, files, columns, num_cpus, None)
        return rows if limit is None or count <= limit else rows.limit(limit)


def _open_files(
    source: Source, files: Sequence[str], columns: Sequence[str], num_cpus: float, only_file: str | None
) -> ray.data.Dataset:
    import ray.data

    share = len(files) / len(source.files)
    blocks = max(len(files), MIN_BLOCKS, math.ceil((source.bytes or 0) * share / BLOCK_BYTES))
    rows = ray.data.read_parquet(
        [file.removeprefix("hf://") for file in files],
        filesystem=_filesystem(source),
        columns=[source.image_column, *columns],
        partitioning=None,  # `datasets` gives key=value folders no meaning either
        include_paths=only_file is None,
        include_row_hash=True,
        override_num_blocks=min(blocks, max(source.rows, 1)),
        num_cpus=num_cpus,
        memory=_memory(source),
    )
    name = partial(
        _name_columns,
        image_column=source.image_column,
        names={column: source.row_name(column) for column in columns},
        root=source.root.removeprefix("hf://"),
        only_file=only_file.removeprefix("hf://") if only_file else None,
    )
    return rows.map_batches(
        name, batch_format="pyarrow", batch_size=None, zero_copy_batch=True, num_cpus=num_cpus
    )


def _name_columns(
    table: pa.Table, *, image_column: str, names: dict[str, str], root: str, only_file: str | None
) -> pa.Table:
    """Give the columns that Ray read their names in Simile; paths become relative to `root`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    paths = pa.repeat(pa.scalar(only_file), table.num_rows) if only_file else table["path"]
    out = {
        "row_key": table["row_hash"],
        "file": pc.utf8_slice_codeunits(paths, start=len(root)),
        "image": table[image_column],
    }
    return pa.table(out | {name: table[column] for column, name in names.items()})


def _first_files(source: Source, limit: int | None) -> tuple[Sequence[str], int]:
    """The files that hold the first `limit` rows, and how many rows they hold together."""
    count = 0
    for index, rows in enumerate(source.file_rows):
        count += rows
        if limit is not None and count >= limit:
            return source.files[: index + 1], count
    return source.files, count


def _filesystem(source: Source) -> Any:
    if not source.root.startswith("hf://"):
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem()
    from pipeline.sources.hub import filesystem

    return filesystem()


def _memory(source: Source) -> float | None:
    """Bytes that a read task reserves; None where row groups are small, as they should be."""
    if source.row_group_bytes < LARGE_ROW_GROUP:
        return None
    import ray

    available = ray.cluster_resources().get("memory", 0)
    # A reservation that no machine can fulfil would wait for ever.
    return min(ROW_GROUP_COPIES * source.row_group_bytes, available / max(len(ray.nodes()), 1) / 2) or None


def _read_folder(
    source: Source, columns: Sequence[str], limit: int | None, num_cpus: float
) -> ray.data.Dataset:
    import pyarrow as pa
    import ray.data

    assert source.table is not None
    table = source.table.slice(0, limit)
    files = table[source.image_column].to_pylist()
    shown = {source.row_name(column): table[column] for column in columns}
    keys = pa.array(_keys(files), pa.uint64())
    rows = pa.table({"row_key": keys, "file": pa.array(files, pa.string()), **shown})
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
    """Add the column `image`; null bytes where a file cannot be read."""
    import pyarrow as pa

    images = [{"bytes": _read_file(root, file), "path": file} for file in table["file"].to_pylist()]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return table.add_column(2, "image", pa.array(images, kind))


def _read_file(root: str, file: str) -> bytes | None:
    path = Path(root, file)
    try:
        if path.stat().st_size > MAX_IMAGE_BYTES:
            return None
        return path.read_bytes()
    except OSError:
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
