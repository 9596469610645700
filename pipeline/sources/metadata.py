"""What people write about their pictures beside them: metadata.csv, .tsv, .jsonl or .parquet."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.sources.column_types import typed_text, typed_values
from pipeline.sources.csv_file import parse_csv
from pipeline.sources.schemas import merge_schemas
from pipeline.sources.walk import readable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FILE_COLUMNS", "METADATA_FILES", "Metadata", "read_metadata"]

METADATA_FILES = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "metadata.parquet")
FILE_COLUMNS = ("file_name", "filename", "image", "file", "path")  # the first that is there names the files
_ROWS = "\0"  # a column that no file has: a table of no columns would have no rows either


@dataclass(frozen=True)
class Metadata:
    """The rows of all metadata files of a source, in the order of the files and their rows.

    Attributes:
        table: the columns of all files but those that name pictures; null where a file lacks one.
        pictures: what each row names, relative to the source; empty where it names nothing.
        places: where each row stands, as `file:line`.
        notes: sentences on what was not taken as it stands.
    """

    table: pa.Table
    pictures: list[str]
    places: list[str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _File:
    """One file: its columns, of text where it is a CSV, and the lines of its rows."""

    path: str
    columns: dict[str, Any]
    lines: list[int]
    is_csv: bool
    notes: tuple[str, ...] = ()


def read_metadata(root: str, files: Sequence[str]) -> Metadata | None:
    """Read metadata files; None where they have no row.

    Args:
        root: the source, with `/` at its end.
        files: paths within it.

    Raises:
        SimileError: a file that cannot be read, or has no column that names pictures; values of one column
            that have no type in common. Names file, line and column.
    """
    import pyarrow as pa

    read = [_read(root, file) for file in files]
    notes = tuple(note for file in read for note in file.notes)
    notes += tuple(
        f"'{readable(file.path)}' has a header and no row" for file in read if file.columns and not file.lines
    )
    read = [file for file in read if file.lines]
    if not read:
        return None if not notes else Metadata(pa.table({}), [], [], notes)
    pictures, places = [], []
    for file in read:
        folder = file.path[: file.path.rfind("/") + 1]
        for name, line in zip(file.columns.pop(_file_column(file)), file.lines, strict=True):
            absolute = name is not None and name.startswith("/")
            pictures.append(f"{folder}{name}" if name and not absolute else name or "")
            places.append(f"{readable(file.path)}:{line}")
    return Metadata(_merged(read), pictures, places, notes)


def _read(root: str, path: str) -> _File:
    name = readable(path)
    try:
        if path.lower().endswith(".parquet"):
            return _read_parquet(root, path)
        data = Path(root + path).read_bytes()
    except OSError as error:
        raise SimileError(f"'{name}' cannot be read: {os.strerror(error.errno or 0)}") from None
    if path.lower().endswith(".jsonl"):
        return _read_jsonl(path, data)
    found = parse_csv(name, data)
    return _File(path, dict(found.columns), found.lines, True, found.notes)


def _read_parquet(root: str, path: str) -> _File:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(root + path, partitioning=None)
    except pa.ArrowInvalid as error:
        raise SimileError(f"'{readable(path)}' is not a parquet file: {error}; write it again") from None
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    return _File(path, columns, list(range(1, table.num_rows + 1)), False)


def _read_jsonl(path: str, data: bytes) -> _File:
    name = readable(path)
    rows: list[dict[str, Any]] = []
    lines = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:  # of JSON, or of UTF-8
            raise SimileError(
                f"'{name}' line {number} is no JSON: {error}; write one object a line"
            ) from None
        if not isinstance(row, dict):
            raise SimileError(f"'{name}' line {number} is {line[:40]!r}; expected an object, such as {{…}}")
        rows.append(row)
        lines.append(number)
    names = dict.fromkeys(column for row in rows for column in row)
    columns = {
        column: typed_values(name, column, [row.get(column) for row in rows], lines) for column in names
    }
    return _File(path, columns, lines, False)


def _file_column(file: _File) -> str:
    """The column that names pictures; its values become a list of texts."""
    by_name = {column.casefold(): column for column in reversed(file.columns)}
    found = next((by_name[name] for name in FILE_COLUMNS if name in by_name), None)
    if found is None:
        raise SimileError(
            f"'{readable(file.path)}' has the columns {', '.join(file.columns)} and none that names the "
            "pictures; call that one file_name"
        )
    values = file.columns[found]
    file.columns[found] = [
        None if value is None else str(value) for value in (values if file.is_csv else values.to_pylist())
    ]
    return found


def _merged(files: Sequence[_File]) -> pa.Table:
    """The columns of all files. A column of several CSV files has one type, by the values of all of them."""
    import pyarrow as pa

    texts: dict[str, list[str | None]] = {}
    for file in files:
        for column, values in file.columns.items() if file.is_csv else ():
            texts.setdefault(column, []).extend(values)
    typed = {column: typed_text(values) for column, values in texts.items()}
    start = dict.fromkeys(typed, 0)
    tables = []
    for file in files:
        columns = dict(file.columns)
        for column in columns if file.is_csv else ():
            columns[column] = typed[column].slice(start[column], len(file.lines))
            start[column] += len(file.lines)
        tables.append(pa.table({**columns, _ROWS: pa.nulls(len(file.lines))}))
    merged = merge_schemas([readable(file.path) for file in files], [table.schema for table in tables])
    return pa.concat_tables([_filled(table, merged) for table in tables]).drop_columns([_ROWS])


def _filled(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns and types of `schema`, null where it lacks them."""
    import pyarrow as pa

    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
