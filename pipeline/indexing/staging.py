"""Staged vectors: parquet parts below the home, one folder an encoder, written whole or not at all.

<home>/staging/<collection>/<encoder fingerprint>/<batch>.parquet
id: string · vector: float16[D] · thumbnail: binary · thumbnail_type: string · width, height: int32
"""

import uuid
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs as pafs
import pyarrow.parquet as pq

__all__ = ["Staging", "filesystem", "vectors_of"]


def filesystem(location: str) -> tuple[pafs.FileSystem, str]:
    """The pyarrow file system and the path on it of an absolute path or fsspec URL."""
    if "://" not in location:
        return pafs.LocalFileSystem(), location
    import fsspec

    files, path = fsspec.core.url_to_fs(location)
    return pafs.PyFileSystem(pafs.FSSpecHandler(files)), path


@dataclass(frozen=True)
class Staging:
    """The parts of one collection and one encoder; cheap to make and to send to other processes."""

    home: str
    collection: str
    fingerprint: str

    @property
    def folder(self) -> str:
        """Where the parts are, as path or URL."""
        return f"{self.home}/staging/{self.collection}/{self.fingerprint}"

    def write(self, rows: pa.Table) -> int:
        """Add one part; it appears under its name only when it is complete. Returns its bytes."""
        files, folder = filesystem(self.folder)
        files.create_dir(folder, recursive=True)
        name = uuid.uuid4().hex
        draft = f"{folder}/.{name}.draft"  # readers leave out names that begin with a dot
        pq.write_table(rows, draft, filesystem=files, compression="zstd")
        size = files.get_file_info(draft).size
        files.move(draft, f"{folder}/{name}.parquet")
        return size

    def parts(self) -> list[str]:
        """Paths of all complete parts on the staging file system."""
        files, folder = filesystem(self.folder)
        found = files.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
        return sorted(
            f.path for f in found if f.path.endswith(".parquet") and not f.base_name.startswith(".")
        )

    def ids(self) -> set[str]:
        """Ids of all staged rows."""
        return set(self._read(["id"])["id"].to_pylist())

    def sample(self, size: int, among: set[str]) -> np.ndarray:
        """(≤ size, D) float32: the rows of `among` with the smallest ids. Ids are hashes: a fair sample."""
        chosen = pa.array(sorted(among & self.ids())[:size])
        table = self._read(["id", "vector"], pads.field("id").isin(chosen)).sort_by("id")
        ids = table["id"].to_pylist()
        unique = [
            i for i, point in enumerate(ids) if i == 0 or point != ids[i - 1]
        ]  # staged twice by a crash
        return vectors_of(table.take(unique)).astype(np.float32)

    def _read(self, columns: list[str], where: pads.Expression | None = None) -> pa.Table:
        parts = self.parts()
        if not parts:
            return pa.table({name: pa.array([], pa.string()) for name in columns})
        files, _ = filesystem(self.folder)
        return pads.dataset(parts, filesystem=files, format="parquet").to_table(columns=columns, filter=where)


def vectors_of(table: pa.Table) -> np.ndarray:
    """The `vector` column as (N, D) float16."""
    column = table["vector"].combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)
