"""Points as parquet: a page of them is a row group, so that a reader holds one page at a time."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from qdrant_client import models

__all__ = ["PAGE", "Page", "dimensions_of", "page_of", "pages_in", "schema"]

PAGE = 500  # points with vectors and thumbnails that are held at once, some 10 MB
_VECTOR = "vector:"  # before the name of each vector, which may be any word


@dataclass(frozen=True)
class Page:
    """N points.

    Attributes:
        ids: (N,).
        vectors: name -> (N, D) float32, as the store has them: cosine vectors of length 1, codes −1 and +1.
        payloads: (N,) of what JSON can hold.
    """

    ids: list[str]
    vectors: dict[str, np.ndarray]
    payloads: list[dict[str, Any]]

    def table(self) -> pa.Table:
        """The page as a table of `schema`."""
        columns: list[pa.Array] = [pa.array(self.ids, pa.string())]
        columns += [
            pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])
            for rows in self.vectors.values()
        ]
        columns.append(pa.array([json.dumps(payload, ensure_ascii=False) for payload in self.payloads]))
        return pa.table(columns, schema=schema(dimensions_of(self)))


def dimensions_of(page: Page) -> dict[str, int]:
    """Named vector -> components."""
    return {name: rows.shape[1] for name, rows in page.vectors.items()}


def schema(dimensions: dict[str, int]) -> pa.Schema:
    """Columns of a file of points whose vectors have so many components."""
    vectors = [(f"{_VECTOR}{name}", pa.list_(pa.float32(), size)) for name, size in dimensions.items()]
    return pa.schema([("id", pa.string()), *vectors, ("payload", pa.string())])


def page_of(records: Sequence[models.Record], vectors: Sequence[str]) -> Page:
    """Stored points with these named vectors."""
    return Page(
        [str(record.id) for record in records],
        {
            name: np.array([record.vector[name] for record in records], np.float32)  # type: ignore[index,call-overload]
            for name in vectors
        },
        [record.payload or {} for record in records],
    )


def pages_in(file: pa.NativeFile) -> Iterator[Page]:
    """The pages of a file, one after the other."""
    reader = pq.ParquetFile(file)
    for group in range(reader.num_row_groups):
        table = reader.read_row_group(group)
        yield Page(
            table["id"].to_pylist(),
            {
                name.removeprefix(_VECTOR): _rows(table[name])
                for name in table.column_names
                if name.startswith(_VECTOR)
            },
            [json.loads(text) for text in table["payload"].to_pylist()],
        )


def _rows(column: pa.ChunkedArray) -> np.ndarray:
    """(N, D) float32."""
    joined = column.combine_chunks()
    return np.asarray(joined.flatten()).reshape(len(joined), column.type.list_size)
