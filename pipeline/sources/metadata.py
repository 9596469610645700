"""What people write about their pictures beside them: metadata.csv, .tsv, .jsonl or .parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import SimileError
from pipeline.sources.table_file import TableFile, merged_tables, read_table_file
from pipeline.sources.walk import readable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FILE_COLUMNS", "METADATA_FILES", "Metadata", "read_metadata"]

METADATA_FILES = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "metadata.parquet")
FILE_COLUMNS = ("file_name", "filename", "image", "file", "path")  # the first that is there names the files


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

    read = [read_table_file(root, file) for file in files]
    notes = tuple(note for file in read for note in file.notes)
    notes += tuple(
        f"'{readable(file.path)}' has a header and no rows"
        for file in read
        if file.columns and not file.lines
    )
    read = [file for file in read if file.lines]
    if not read:
        return None if not notes else Metadata(pa.table({}), [], [], notes)
    pictures, places = [], []
    for file in read:
        folder = file.path[: file.path.rfind("/") + 1]
        for name, line in zip(file.take_texts(_file_column(file)), file.lines, strict=True):
            absolute = name is not None and (name.startswith("/") or "://" in name)
            pictures.append(f"{folder}{name}" if name and not absolute else name or "")
            places.append(f"{readable(file.path)}:{line}")
    return Metadata(merged_tables(read), pictures, places, notes)


def _file_column(file: TableFile) -> str:
    """The column that names pictures."""
    by_name = {column.casefold(): column for column in reversed(file.columns)}
    found = next((by_name[name] for name in FILE_COLUMNS if name in by_name), None)
    if found is None:
        raise SimileError(
            f"'{readable(file.path)}' has the columns {', '.join(file.columns)} but none that names the "
            "pictures; call that column file_name"
        )
    return found
