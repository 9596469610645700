"""Parts: what is staged of a unit, without its vectors.

<home>/staging/<collection>/parts/<unit>.parquet, a row for each row of the unit, in its order:
id: 16 bytes · digest: 32 bytes, sha256 of the picture (both null where it could not be read) · file: string ·
row: int64 · payload: string (JSON) · mark: uint64 · given: uint64 · width, height: int32 ·
thumbnail: binary · thumbnail_type: string · cielab_histogram_1: bytes of float16, the colours (see
`images.palette`) · stage, reason, first_bytes, kind: string, why there is no point (null: there is one)

A picture that stands in the unit before has no thumbnail here. The vectors are in `vectors.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.home import filesystem
from pipeline.images.palette import COLOUR_METHOD
from pipeline.points import Row
from pipeline.staging.ids import id_texts, id_words
from pipeline.staging.rejects import Reject, reject_of
from pipeline.staging.unit_files import UnitFiles, put

__all__ = [
    "MARKED",
    "PICTURE_COLUMNS",
    "REJECT_COLUMNS",
    "SCHEMA",
    "PartFacts",
    "Parts",
    "StagedPicture",
    "marks_of",
    "picture_of",
    "places_of",
]

REJECT_COLUMNS = ("stage", "reason", "first_bytes", "kind")
SCHEMA = pa.schema(
    [
        ("id", pa.binary(16)),
        ("digest", pa.binary(32)),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("payload", pa.string()),
        ("mark", pa.uint64()),
        ("given", pa.uint64()),  # hash of the vectors that the source has of it
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("thumbnail", pa.binary()),
        ("thumbnail_type", pa.string()),
        (COLOUR_METHOD, pa.binary()),  # earlier parts have none
        *((name, pa.string()) for name in REJECT_COLUMNS),
    ]
)
PICTURE_COLUMNS = ("thumbnail", "thumbnail_type", "width", "height", COLOUR_METHOD)
MARKED = ("file", "row", "payload", "given")  # what a mark is made of, beside the credit
_CREDIT, _REJECTED = b"simile.credit", b"simile.rejected"
_ERASED = b"simile.erased"  # how many rows are blank, where some are


@dataclass(frozen=True)
class StagedPicture:
    """What is kept of a picture beside its vector: its thumbnail, the sides of the original in pixels, and
    its colours as float16; None where it was staged before colours were.
    """

    id: str
    thumbnail: bytes
    thumbnail_type: str  # such as image/webp
    width: int
    height: int
    colours: bytes | None = None


def picture_of(point: str, row: Mapping[str, Any]) -> StagedPicture:
    """The picture of a row of a part, by `PICTURE_COLUMNS`."""
    thumbnail, kind, width, height, colours = (row[name] for name in PICTURE_COLUMNS)
    return StagedPicture(point, thumbnail or b"", kind or "", width, height, colours)


@dataclass(frozen=True)
class PartFacts:
    """What a catalogue asks of a part with N rows.

    Attributes:
        words: (N, 2) uint64, the ids; 0 where there is none.
        marks: (N,) uint64, see `points.Row.mark`.
        good: (N,) bool, whether the row is a picture that was decoded, or one that was erased.
        erased: (N,) bool, of which nothing but the id is left.
        rejects: the rows that are not, with their places.
    """

    words: np.ndarray
    marks: np.ndarray
    good: np.ndarray
    erased: np.ndarray
    rejects: list[Reject]


@dataclass(frozen=True)
class Parts(UnitFiles):
    """The parts of one collection."""

    @property
    def folder(self) -> str:
        """Where they are, as path or URL."""
        return f"{self.home}/staging/{self.collection}/parts"

    def write(self, unit: str, rows: pa.Table, credit: str | None) -> int:
        """Add a part; it appears only when it is complete. Returns its bytes.

        Args:
            rows: of `SCHEMA`.
            credit: that the marks were made with.
        """
        about = {_CREDIT: (credit or "").encode()} | _counts(rows)
        return put(self.location(unit), rows.replace_schema_metadata(about))

    def rewrite(self, unit: str, rows: pa.Table) -> None:
        """Put rows in the place of a part's own; what is said of how they were made stays."""
        about = {**(rows.schema.metadata or {}), **_counts(rows)}
        put(self.location(unit), rows.replace_schema_metadata(about))

    def read(self, unit: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Some columns of a part, in its order; null in one that was added after the part was written."""
        files, path = filesystem(self.location(unit))
        with files.open_input_file(path) as stream, pq.ParquetFile(stream) as part:
            there = part.schema_arrow.names
            wanted = there if columns is None else [name for name in columns if name in there]
            table = part.read(columns=wanted, use_threads=False)
        lacking = (name for name in columns or SCHEMA.names if name not in there)
        for name in lacking:
            table = table.append_column(SCHEMA.field(name), pa.nulls(len(table), SCHEMA.field(name).type))
        return table

    def facts(self, unit: str, credit: str | None) -> PartFacts:
        """What a catalogue asks of a part.

        Args:
            credit: that the marks are to be made with.
        """
        files, path = filesystem(self.location(unit))
        with files.open_input_file(path) as stream, pq.ParquetFile(stream) as part:
            about = part.schema_arrow.metadata or {}
            columns = ["id", "mark"]
            if not _made_with(about, credit):
                columns += [name for name in MARKED if name in part.schema_arrow.names]
            bad, blank = int(about.get(_REJECTED, 0)), int(about.get(_ERASED, 0))
            if blank:
                columns += ["payload", "stage"]
            if bad:
                columns += ["file", "row", *REJECT_COLUMNS]
            table = part.read(columns=list(dict.fromkeys(columns)), use_threads=False)
        good = np.ones(len(table), bool) if not bad else np.asarray(table["stage"].is_null())
        rejects = _rejects(table.filter(pa.array(~good))) if bad else []
        erased = _is_erased(table) if blank else np.zeros(len(table), bool)
        return PartFacts(id_words(table["id"]), marks_of(table, credit), good, erased, rejects)

    def rejected(self, unit: str) -> int:
        """How many rows of a part are no points."""
        return int(self.about(unit).get(_REJECTED, 0))

    def credit(self, unit: str) -> str | None:
        """The credit that the marks of a part were made with."""
        return self.about(unit).get(_CREDIT, b"").decode() or None


def _counts(rows: pa.Table) -> dict[bytes, bytes]:
    """How many rows are no points, and how many are blank: then nobody has to look at all of them."""
    rejected = {_REJECTED: str(len(rows) - rows["stage"].null_count).encode()}
    return rejected | {_ERASED: str(int(_is_erased(rows).sum())).encode()}


def _is_erased(rows: pa.Table) -> np.ndarray:
    """(N,) bool. Every other row says what the source has of it, if only `{}`."""
    blank = rows["payload"].is_null().to_numpy() & rows["stage"].is_null().to_numpy()
    return np.asarray(blank & rows["id"].is_valid().to_numpy(), bool)


def _rejects(rows: pa.Table) -> list[Reject]:
    words = id_words(rows["id"])
    told = rows.select(list(REJECT_COLUMNS)).to_pylist()
    return [
        reject_of({**why, "place": place, "id": point if any(word) else None})
        for why, place, point, word in zip(told, places_of(rows), id_texts(words), words, strict=True)
    ]


def marks_of(rows: pa.Table, credit: str | None) -> np.ndarray:
    """The marks of N rows of a part, as they are with this credit; 0 of rows without an id. (N,) uint64."""
    if _made_with(rows.schema.metadata or {}, credit):
        return np.asarray(rows["mark"].fill_null(0).to_numpy())
    given = rows["given"].to_pylist() if "given" in rows.column_names else [0] * len(rows)
    told = zip(rows["payload"].to_pylist(), places_of(rows), given, strict=True)
    each = (Row(payload, (place,), credit, hashed or 0) for payload, place, hashed in told)
    return np.array([int(row.mark, 16) for row in each], np.uint64)


def places_of(rows: pa.Table) -> list[str]:
    """Where N rows of a part, or of a source, stand, as `file:row`."""
    numbered = zip(rows["file"].to_pylist(), rows["row"].to_pylist(), strict=True)
    return [f"{file}:{row}" for file, row in numbered]


def _made_with(about: dict[bytes, bytes], credit: str | None) -> bool:
    return about.get(_CREDIT, b"").decode() == (credit or "")
