"""A collection for other programs: its vectors in batches, as Arrow, pandas, Parquet and numpy files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.given_values import check_whole
from pipeline.search.export_files import write_npy, write_parquet
from pipeline.search.exported_rows import BATCH, ExportedRows, VectorBatch, vector_batches
from pipeline.search.stored_pictures import StoredPictures
from pipeline.store.filters import wanted_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["VectorsOut"]


class VectorsOut(StoredPictures):
    """In all of these, `filters` are those of a search, and `encoders` names some of the collection's.

    The columns are those of `ExportedRows`.
    """

    def iter_vectors(
        self, encoder: str | None = None, filters: Mapping[str, Any] | None = None, batch: int = BATCH
    ) -> Iterator[VectorBatch]:
        """Ids, vectors and codes of all pictures, `batch` at a time, in the order of their ids.

        Raises:
            SimileError: no such encoder, or `filters` that do not fit.
        """
        check_whole("batch", batch, 1)
        store, version = self.live
        return vector_batches(store, version, version.manifest.encoder(encoder), filters, batch=batch)

    def exported_rows(
        self,
        encoders: Sequence[str] | None = None,
        filters: Mapping[str, Any] | None = None,
        thumbnails: bool = False,
    ) -> ExportedRows:
        """What the following write: by default the vectors of all encoders, and no thumbnails.

        Raises:
            SimileError: no such encoder, or `filters` that do not fit.
        """
        version = self._version()
        wanted_of(version, filters)
        names = self.encoders if encoders is None else encoders
        entries = [version.manifest.encoder(name) for name in names]
        return ExportedRows(version, entries, filters, thumbnails)

    def to_arrow(
        self,
        encoders: Sequence[str] | None = None,
        filters: Mapping[str, Any] | None = None,
        thumbnails: bool = False,
    ) -> "pa.Table":
        """A row a picture, in memory: 3 kB each with 512 floats and as many bits, without its thumbnail."""
        import pyarrow as pa

        rows = self.exported_rows(encoders, filters, thumbnails)
        return pa.Table.from_batches(rows.batches(self._store), rows.schema)

    def to_pandas(
        self,
        encoders: Sequence[str] | None = None,
        filters: Mapping[str, Any] | None = None,
        thumbnails: bool = False,
    ) -> "pd.DataFrame":
        """The same as a data frame; a vector is an array in its cell."""
        return self.to_arrow(encoders, filters, thumbnails).to_pandas()

    def to_parquet(
        self,
        path: str | Path,
        encoders: Sequence[str] | None = None,
        filters: Mapping[str, Any] | None = None,
        thumbnails: bool = False,
    ) -> int:
        """Write one Parquet file, a batch at a time; returns the rows.

        Args:
            path: a file, or URL of an object store.

        Raises:
            SimileError: it cannot be written, no such encoder, or `filters` that do not fit.
        """
        return write_parquet(self.exported_rows(encoders, filters, thumbnails), self._store, _absolute(path))

    def to_npy(
        self,
        folder: str | Path,
        encoders: Sequence[str] | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> int:
        """Write `ids.npy`, `<vector>.npy`, `<code>.npy` and `payload.parquet`; returns the rows.

        Arguments and errors as in `to_parquet`; the arrays are described in `export_files.write_npy`.
        """
        return write_npy(self.exported_rows(encoders, filters), self._store, _absolute(folder))


def _absolute(path: str | Path) -> str:
    return str(path) if "://" in str(path) else str(Path(path).expanduser().absolute())
