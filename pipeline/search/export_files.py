"""A version, or a slice of it, as files: Parquet, or numpy arrays with a Parquet file of everything else."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import SimileError
from pipeline.home import filesystem, is_remote
from pipeline.search.exported_rows import ExportedRows
from pipeline.store import Store
from pipeline.store.id_slices import WHOLE, IdSlice

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["write_npy", "write_parquet"]


def write_parquet(rows: ExportedRows, store: Store, target: str, within: IdSlice = WHOLE) -> int:
    """Write rows to one Parquet file, a row group a batch; returns how many.

    Args:
        target: an absolute path, or URL of an object store. The file is there once it is whole.

    Raises:
        SimileError: it cannot be written, or as `ExportedRows.batches`.
    """
    return sum(_write(target, rows.schema, rows.batches(store, within)))


def write_npy(
    rows: ExportedRows, store: Store, folder: str, within: IdSlice = WHOLE, suffix: str = ""
) -> int:
    """Write rows to `ids.npy`, `<vector>.npy`, `<code>.npy` and `payload.parquet` in a folder.

    The arrays are (N,) text, (N, D) float32 and (N, B / 8) uint8; the Parquet file has the other columns.

    Args:
        folder: an absolute path, or URL of an object store.
        suffix: of the files' names, for the parts of a large export.

    Raises:
        SimileError: as `write_parquet`.
    """
    arrays: dict[str, list[np.ndarray]] = {}
    names = [name for entry in rows.entries for name in (entry.vector, entry.code)]
    ids: list[str] = []

    def without_vectors() -> "Iterator[pa.RecordBatch]":
        for batch in rows.batches(store, within):
            ids.extend(batch["id"].to_pylist())
            for name in names:
                width = batch.schema.field(name).type.list_size
                flat = batch[name].flatten().to_numpy(zero_copy_only=False)
                arrays.setdefault(name, []).append(flat.reshape(len(batch), width))
            yield batch.drop_columns(names)

    schema = rows.schema
    for name in names:
        schema = schema.remove(schema.get_field_index(name))
    count = sum(_write(f"{folder}/payload{suffix}.parquet", schema, without_vectors()))
    _save(f"{folder}/ids{suffix}.npy", np.array(ids, "U36"))
    for name in names:
        width = rows.schema.field(name).type.list_size
        kind = rows.schema.field(name).type.value_type.to_pandas_dtype()
        _save(
            f"{folder}/{name}{suffix}.npy",
            np.concatenate([np.empty((0, width), kind), *arrays.get(name, [])]),
        )
    return count


def _write(target: str, schema: "pa.Schema", batches: "Iterator[pa.RecordBatch]") -> Iterator[int]:
    """Rows of each batch, as it is written."""
    import pyarrow.parquet as pq

    with _opened(target) as stream, pq.ParquetWriter(stream, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield len(batch)


def _save(target: str, array: np.ndarray) -> None:
    with _opened(target) as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
        stream.write(array.tobytes())


@contextmanager
def _opened(target: str) -> Iterator[Any]:
    """A stream whose file is in its place once all is written; a draft of a local one is taken away."""
    files, path = filesystem(target)
    draft = path if is_remote(target) else f"{path}.draft"
    try:
        if not is_remote(target):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        with files.open_output_stream(draft) as stream:
            yield stream
        if draft != path:
            Path(draft).replace(path)
    except OSError as error:
        raise SimileError(f"'{target}' cannot be written: {error.strerror or error}.") from None
    finally:
        if draft != path:
            with suppress(OSError):
                Path(draft).unlink(missing_ok=True)
