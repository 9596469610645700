"""Columns of a source that hold vectors: which can be, how long the vectors are, and the vectors of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import SimileError
from pipeline.sources.source import Source

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.sources.units import Unit

__all__ = ["given_vectors", "vector_length", "with_vectors"]

_UNITS = 4  # that are looked at for a first vector


def with_vectors(source: Source, columns: Sequence[str]) -> Source:
    """The source with columns that are read as vectors and are no payload.

    Raises:
        SimileError: the source has no parquet files, or a column is missing or holds something else.
    """
    if not columns:
        return source
    if source.kind != "parquet":
        raise SimileError(
            f"Vectors that were made elsewhere are read only from parquet files, and {source.name} is not "
            "one. Write pictures and vectors as parquet, with a list of numbers in each row."
        )
    could = [name for name, feature in source.features.items() if _is_vector(feature)]
    for column in columns:
        if column not in could:
            there = f"these do: {', '.join(could)}" if could else "no column does"
            raise SimileError(f"'{column}' of {source.name} does not hold lists of numbers; {there}.")
    payload = tuple(name for name in source.payload_columns if name not in columns)
    return replace(source, payload_columns=payload, vector_columns=tuple(columns))


def _is_vector(feature: Any) -> bool:
    inner = feature[0] if isinstance(feature, list) and feature else getattr(feature, "feature", None)
    return str(getattr(inner, "dtype", "")).startswith(("float", "int", "uint"))


def vector_length(source: Source, column: str, units: Sequence[Unit]) -> int:
    """Numbers in a vector of a column: its declared length, else that of most vectors among the first rows.

    Raises:
        SimileError: the first units have no vector.
    """
    feature = source.features[column]
    declared = getattr(feature, "length", -1)
    if declared and declared > 0:
        return int(declared)
    for rows in _first_rows(source, column, units):
        lengths = Counter(len(each) for each in rows if each)
        if lengths:
            return lengths.most_common(1)[0][0]
    raise SimileError(
        f"'{column}' of {source.name} has no vector in its first rows, so its length is unknown."
    )


def _first_rows(source: Source, column: str, units: Sequence[Unit]) -> Iterator[list[list[float] | None]]:
    from pipeline.sources.rows import for_tasks, read_unit

    reading = for_tasks(source)
    for unit in units[:_UNITS]:
        for table in read_unit(reading, unit, [column]):
            yield table[source.row_name(column)].to_pylist()


def given_vectors(column: pa.ChunkedArray, length: int) -> list[np.ndarray | str]:
    """Of each row its vector, (length,) float32, or in a few words why it has none.

    >>> import pyarrow as pa
    >>> told = given_vectors(pa.chunked_array([[[1.0, 2.0], None, [1.0], [1.0, None]]]), 2)
    >>> told[0].tolist(), told[1:]
    ([1.0, 2.0], ['no vector', 'a vector of another length', 'a vector with a gap'])
    """
    return [_vector(each, length) for each in column.to_pylist()]


def _vector(given: list[float] | None, length: int) -> np.ndarray | str:
    if given is None:
        return "no vector"
    if len(given) != length:
        return "a vector of another length"
    if any(number is None for number in given):
        return "a vector with a gap"
    return np.array(given, np.float32)
