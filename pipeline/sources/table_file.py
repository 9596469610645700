"""Tables that people write: CSV, TSV, JSON lines or parquet, and several of them as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.parsing import parse_json
from pipeline.sources.column_types import typed_text, typed_values
from pipeline.sources.csv_file import parse_csv
from pipeline.sources.python_values import python_values
from pipeline.sources.schemas import merge_schemas, merged_column
from pipeline.sources.storage import open_stream, read_file
from pipeline.sources.walk import readable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TABLES", "TableFile", "merged_tables", "read_table_file"]

TABLES = ("csv", "tsv", "jsonl", "parquet")
_MOST_BYTES = 8 * 2**30  # of a file that is read whole; what is larger belongs into parquet
_ROWS = "\0"  # a column that no file has: a table of no columns would have no rows either


@dataclass(frozen=True)
class TableFile:
    """One file.

    Attributes:
        path: within its source.
        columns: N values each; lists of text where it is a CSV, else pyarrow arrays.
        lines: the line of each row; of parquet its number. N.
        is_csv: whether the columns are text, whose types all files together decide.
        notes: sentences on what was not taken as it stands.
    """

    path: str
    columns: dict[str, Any]
    lines: list[int]
    is_csv: bool
    notes: tuple[str, ...] = ()

    def take_texts(self, column: str) -> list[str | None]:
        """Take a column out, as texts."""
        values = self.columns.pop(column)
        return [
            None if value is None else str(value)
            for value in (values if self.is_csv else python_values(column, values))
        ]


def read_table_file(root: str, path: str) -> TableFile:
    """Read one file, of the kind that its ending says.

    Args:
        root: the source, with `/` at its end.
        path: within it.

    Raises:
        SimileError: it cannot be read; names file, line and column.
    """
    name = readable(path)
    try:
        if path.lower().endswith(".parquet"):
            return _read_parquet(root, path)
        data = read_file(root + path, _MOST_BYTES)
    except OSError as error:
        raise SimileError(f"'{name}' cannot be read: {error.strerror or error}") from None
    if path.lower().endswith(".jsonl"):
        return _read_jsonl(path, data)
    found = parse_csv(name, data)
    return TableFile(path, dict(found.columns), found.lines, True, found.notes)


def _read_parquet(root: str, path: str) -> TableFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_stream(root + path) as stream:
            table = pq.read_table(stream)
    except pa.ArrowInvalid as error:
        raise SimileError(f"'{readable(path)}' is not a parquet file: {error}; write it again") from None
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    return TableFile(path, columns, list(range(1, table.num_rows + 1)), False)


def _read_jsonl(path: str, data: bytes) -> TableFile:
    name = readable(path)
    rows: list[dict[str, Any]] = []
    lines = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:  # of JSON, or of UTF-8
            raise SimileError(
                f"'{name}' line {number} is not valid JSON: {error}; write one object per line"
            ) from None
        if not isinstance(row, dict):
            raise SimileError(f"'{name}' line {number} is {line[:40]!r}; expected an object, such as {{…}}")
        rows.append(row)
        lines.append(number)
    names = dict.fromkeys(column for row in rows for column in row)
    columns = {
        column: typed_values(name, column, [row.get(column) for row in rows], [f"line {n}" for n in lines])
        for column in names
    }
    return TableFile(path, columns, lines, False)


def merged_tables(files: Sequence[TableFile]) -> pa.Table:
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

    return pa.table([merged_column(table, field.name, field.type) for field in schema], schema=schema)
