"""The rows of a source as a Ray Dataset, and what is in a batch of them.

Images stay compressed and travel from storage to the worker that needs them; the driver sees footers and
file names only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pipeline.sources.parquet_rows import read_parquet_rows
from pipeline.sources.source import NOT_READABLE, Unread
from pipeline.sources.table_rows import read_table_rows

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data

    from pipeline.sources.source import Source


def read_rows(
    source: Source, *, limit: int | None = None, columns: Sequence[str] | None = None, num_cpus: float = 0.5
) -> ray.data.Dataset:
    """Read a source lazily, in Ray tasks.

    Every row has `row_key` (uint64, the same at every read of the same file, whatever the columns), `file`
    (string, relative to the source), `image` (struct<bytes: binary, path: string>, or binary; null bytes
    where a file could not be read) and the payload columns under `source.row_name(column)`. Rows of all
    sources but parquet also have `unread` (struct<kind: string, reason: string>; null where there are bytes).
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
    if source.table is None:
        return read_parquet_rows(source, chosen, limit, num_cpus)
    return read_table_rows(source, chosen, limit, num_cpus)


def image_bytes(table: pa.Table) -> Iterator[bytes | None]:
    """The compressed image of each row of `table`, None where there is none."""
    import pyarrow as pa

    for chunk in table["image"].chunks:
        if pa.types.is_struct(chunk.type):
            # field() ignores the validity of the struct itself, flatten() does not
            chunk = chunk.flatten()[chunk.type.get_field_index("bytes")]
        for value in chunk:
            yield value.as_py()


def unread_rows(table: pa.Table) -> list[Unread | None]:
    """Of each row of `table` why there is no image; None where there is one."""
    told = table["unread"].to_pylist() if "unread" in table.column_names else [None] * table.num_rows
    return [
        None if data is not None else Unread(**why) if why else NOT_READABLE
        for data, why in zip(image_bytes(table), told, strict=True)
    ]
