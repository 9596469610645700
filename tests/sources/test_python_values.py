"""Values that pyarrow does not turn into Python's own: one neither ends a job nor costs a picture."""

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sources import resolve_source
from pipeline.sources.python_values import python_values
from tests.sources.conftest import png, put, rows_of

ODD = pa.array([b"caf\xe9", b"tea", None]).view(pa.string())  # the first is Latin-1
FAR = pa.array([10**7, 0, None], pa.int32()).cast(pa.date32())  # the first is in the year 29349


def test_text_that_is_no_utf_8_is_shown_by_its_bytes() -> None:
    assert python_values("drink", ODD) == ["caf\\xe9", "tea", None]
    assert python_values("drink", ODD.dictionary_encode()) == ["caf\\xe9", "tea", None]
    lists = pa.ListArray.from_arrays([0, 2, 3], ODD)
    assert python_values("drinks", pa.chunked_array([lists])) == [["caf\\xe9", "tea"], [None]]
    records = pa.StructArray.from_arrays([ODD, pa.array([1, 2, 3])], ["name", "n"])
    assert python_values("drink", records)[0] == {"name": "caf\\xe9", "n": 1}
    maps = pa.MapArray.from_arrays([0, 2], ODD[:2], ODD[1:])
    assert python_values("drinks", maps) == [{"caf\\xe9": "tea", "tea": None}]


@pytest.mark.parametrize(
    "column",
    [
        FAR,
        pa.array([2**62, 0, None], pa.timestamp("s")),
        pa.array([-(2**40), 0, None], pa.timestamp("s", "Europe/Berlin")),
        pa.array([2**62, 0, None], pa.duration("s")),
    ],
    ids=lambda column: str(column.type),
)
def test_times_beyond_the_calendar_are_left_out_with_one_warning(
    column: pa.Array, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"when {column.type}"
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            first, second, third = python_values(name, column)
            assert (first, third) == (None, None) and second is not None
    (said,) = caplog.messages
    assert said.startswith(f"the column '{name}' holds a value of the type {column.type}")


def with_pictures(path: Path, **columns: Any) -> str:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pictures = pa.array([{"bytes": png(n), "path": None} for n in range(3)], kind)
    pq.write_table(pa.table({"image": pictures, **columns}), path)
    return str(path)


def test_of_a_row_with_such_a_value_the_picture_and_its_neighbours_are_kept(tmp_path: Path) -> None:
    rows = rows_of(resolve_source(with_pictures(tmp_path / "a.parquet", drink=ODD, day=FAR)))
    assert [row["bytes"] for row in rows] == [png(0), png(1), png(2)]
    assert [row["payload"] for row in rows] == [
        {"drink": "caf\\xe9", "day": None},
        {"drink": "tea", "day": "1970-01-01"},
        {"drink": None, "day": None},
    ]
    json.dumps(rows[0]["payload"]).encode()


def test_a_path_that_no_file_can_have_is_a_reject_and_its_neighbours_are_kept(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    names = pa.array([b"a\0.png", b"caf\xe9.png", b"a.png"]).view(pa.string())
    pq.write_table(pa.table({"url": names}), tmp_path / "list.parquet")
    rows = rows_of(resolve_source(str(tmp_path / "list.parquet"), url_column="url"))
    assert [row["unread"] and row["unread"].kind for row in rows] == ["no address", "not there", None]
    assert "zero byte" in rows[0]["unread"].reason and rows[2]["bytes"] == png(1)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.StructArray.from_arrays([pa.nulls(3, pa.binary()), names], fields=list(kind))
    pq.write_table(pa.table({"image": images}), tmp_path / "pictures.parquet")
    found = rows_of(resolve_source(str(tmp_path / "pictures.parquet")))
    assert [row["bytes"] for row in found] == [None, None, png(1)]


def test_metadata_that_name_such_a_file_are_a_fault_and_the_others_count(tmp_path: Path) -> None:
    put(tmp_path / "in/a.png", png(1))
    names = pa.array([b"caf\xe9.png", b"a.png"]).view(pa.string())
    pq.write_table(pa.table({"file_name": names, "n": [1, 2]}), tmp_path / "in/metadata.parquet")
    source = resolve_source(str(tmp_path / "in"))
    assert [fault.place for fault in source.faults] == ["metadata.parquet:1"]
    assert rows_of(source)[0]["payload"] == {"n": 2, "path": "a.png"}
