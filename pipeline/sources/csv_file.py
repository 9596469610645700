"""CSV as people write it, by rules that do not look at the values: encoding, delimiter, header, lines."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass

from pipeline.errors import SimileError

__all__ = ["CsvFile", "parse_csv"]

_DELIMITERS = ",;\t|"
_ANCIENT = "cp1252"  # Latin-1 as Windows writes it
csv.field_size_limit(2**24)  # bytes; Python's 128 KiB are less than some people's transcriptions


@dataclass(frozen=True)
class CsvFile:
    """A CSV file as text.

    Attributes:
        columns: name -> values, None where a field is empty.
        lines: the line of the file on which each row begins; the first line is 1.
        notes: sentences on what was not taken as it stands.
    """

    columns: dict[str, list[str | None]]
    lines: list[int]
    notes: tuple[str, ...] = ()


def parse_csv(name: str, data: bytes) -> CsvFile:
    """Read a CSV file: UTF-8 with or without BOM, UTF-16 with BOM, else Latin-1; delimited by , ; tab or |.

    The delimiter is the one that cuts the header into the most columns. Nothing but an empty field is "no
    value": `NA` is text. Columns without a name, such as the index that pandas writes, are left out.

    Args:
        name: of the file, for messages.
        data: the whole file.

    Raises:
        SimileError: naming the line: a quote that does not end, more fields than the header has, or two
            columns of one name.
    """
    text, notes = _decoded(name, data)
    delimiter = None
    if text[:4].lower() == "sep=":  # what Excel writes to tell itself the delimiter
        delimiter, text = text[4:5], text.partition("\n")[2]
    skipped = 1 if delimiter else 0
    header_line = text.partition("\n")[0]
    delimiter = delimiter or max(_DELIMITERS, key=lambda each: len(_header(header_line, each)))
    spaced = any(column.startswith(" ") for column in _header(header_line, delimiter)[1:])
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=spaced, strict=True
    )
    rows: list[list[str]] = []
    lines: list[int] = []
    begins = 1 + skipped
    try:
        for row in reader:
            if any(row):
                rows.append(row)
                lines.append(begins)
            begins = reader.line_num + 1 + skipped
    except csv.Error as error:
        raise SimileError(
            f"'{name}' line {begins} is not valid CSV: {error}; correct the quotes of that line"
        ) from None
    if not rows:
        return CsvFile({}, [], (*notes, f"'{name}' is empty, so it describes no picture"))
    header = [column.strip() for column in rows[0]]
    twice = next((column for column in header if column and header.count(column) > 1), None)
    if twice:
        raise SimileError(f"'{name}' has two columns called '{twice}'; give each a name of its own")
    for row, line in zip(rows[1:], lines[1:], strict=True):
        if len(row) > len(header) and any(row[len(header) :]):
            raise SimileError(
                f"'{name}' line {line} has {len(row)} fields and the header has {len(header)}; put a field "
                "that holds the delimiter between double quotes"
            )
    if "" in header:
        notes = (*notes, f"'{name}' has a column without a name, which is left out")
    columns = {
        column: [row[place] or None if place < len(row) else None for row in rows[1:]]
        for place, column in enumerate(header)
        if column
    }
    return CsvFile(columns, lines[1:], notes)


def _decoded(name: str, data: bytes) -> tuple[str, tuple[str, ...]]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace"), ()
    try:
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = data.decode(_ANCIENT, "replace")
    return text, (f"'{name}' is not UTF-8 (line {line}), so it is read as Latin-1 (Windows-1252)",)


def _header(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])
