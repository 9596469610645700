"""Files of units: a folder with a Parquet file for each, written once, under its final name, by the task that
made it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline.home import filesystem, listed, write_file

__all__ = ["READERS", "UnitFiles", "put"]

READERS = 8  # staged files that a process reads at once


@dataclass(frozen=True)
class UnitFiles(ABC):
    """Staged files of one collection; cheap to make and to send to other processes."""

    home: str
    collection: str

    @property
    @abstractmethod
    def folder(self) -> str:
        """Where they are, as path or URL."""

    def location(self, unit: str) -> str:
        """Where the file of a unit is or will be, as path or URL."""
        return f"{self.folder}/{unit}.parquet"

    def names(self) -> set[str]:
        """The units that have a file."""
        names = (each.base_name for each in listed(self.folder) if each.base_name.endswith(".parquet"))
        return {name.removesuffix(".parquet") for name in names if not name.startswith(".")}

    def has(self, unit: str) -> bool:
        """Whether a unit has a file."""
        files, path = filesystem(self.location(unit))
        return bool(files.get_file_info(path).type == pafs.FileType.File)

    def about(self, unit: str) -> dict[bytes, bytes]:
        """The metadata of a unit's file.

        Raises:
            FileNotFoundError: it has none.
        """
        files, path = filesystem(self.location(unit))
        return pq.read_schema(path, filesystem=files).metadata or {}


def put(location: str, rows: pa.Table, first: int = 0) -> int:
    """Write a table in one step. Returns its bytes.

    Args:
        first: so many rows stand in a row group of their own, before the others; 0: none do.
    """
    buffer = pa.BufferOutputStream()
    # ids, vectors and pictures hardly repeat: a dictionary of them takes a quarter of the writer's time
    with pq.ParquetWriter(buffer, rows.schema, compression="zstd", use_dictionary=False) as writer:
        for piece in (rows.slice(0, first), rows.slice(first)):
            if len(piece) or not len(rows):
                writer.write_table(piece)
    data = buffer.getvalue()
    write_file(location, data)
    return len(data)
