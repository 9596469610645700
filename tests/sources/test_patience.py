"""Storage that is away for a moment: waited for, then said in a sentence, and no reason to reject a row."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.errors import SimileError
from pipeline.sources import image_bytes, patience, read_unit, resolve_source, units_of, unread_rows
from pipeline.sources.patience import PatientFile, patiently
from tests.sources.conftest import png, put, rows_of, write_mirror
from tests.sources.test_webdataset import tar

Break = Callable[[int], list[int]]


@pytest.fixture
def break_reads(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Let so many reads fail as those of a bucket do. Gives the places that were asked for."""
    monkeypatch.setattr(patience, "_PAUSES", (0.0, 0.0))
    real, asked = patience._read, []

    def broken(times: int) -> list[int]:
        def read(file: Any, at: int, size: int) -> pa.Buffer:
            asked.append(at)
            if len(asked) <= times:
                raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 28")
            return real(file, at, size)

        monkeypatch.setattr(patience, "_read", read)
        return asked

    return broken


def test_a_patient_file_reads_as_others_do(tmp_path: Path, break_reads: Break) -> None:
    asked = break_reads(2)
    with PatientFile(str(put(tmp_path / "a", b"0123456789"))) as file:
        assert (file.seek(-4, io.SEEK_END), file.read(2), file.tell()) == (6, b"67", 8)
        assert (file.seek(1, io.SEEK_CUR), file.read(), file.read(5)) == (9, b"9", b"")
        assert (file.seek(100), file.read(1)) == (100, b"")
    assert asked[:3] == [6, 6, 6]
    with io.BufferedReader(PatientFile(str(tmp_path / "a")), 4) as stream:
        assert (stream.seek(3), stream.read(6), stream.read()) == (3, b"345678", b"9")


def test_what_is_not_there_is_an_answer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), PatientFile(str(tmp_path / "nowhere")) as file:
        file.read(1)


def test_what_stays_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)

    def read() -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(SimileError) as raised:
        patiently(read, "/data/a.parquet")
    assert pauses == [1.0, 5.0]
    assert str(raised.value).startswith(
        "'/data/a.parquet' cannot be read: [Errno 13] Permission denied. None"
    )


@pytest.mark.parametrize("kind", ["parquet", "tar"])
def test_a_source_that_is_away_for_a_moment_is_read_and_one_that_stays_away_ends_the_job(
    kind: str, tmp_path: Path, break_reads: Break
) -> None:
    if kind == "parquet":
        place = write_mirror(tmp_path, [3])
    else:
        place = tar(tmp_path / "a.tar", {f"{n}.png": png(n) for n in range(3)})
    source = resolve_source(str(place))
    break_reads(2)
    assert [row["bytes"] for row in rows_of(source)] == [png(n) for n in range(3)]
    break_reads(10**9)
    with pytest.raises(
        SimileError, match=r"curlCode: 28. None of its rows was rejected for that; run the job"
    ):
        rows_of(source)


def test_a_parquet_file_whose_data_stay_away_after_its_footer_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [3])))
    monkeypatch.setattr(patience, "_PAUSES", ())
    real, end = patience._read, Path(source.files[0]).stat().st_size - 8

    def read(file: Any, at: int, size: int) -> pa.Buffer:
        if at + size < end:
            raise OSError("throttled")
        return real(file, at, size)

    monkeypatch.setattr(patience, "_read", read)
    with pytest.raises(SimileError, match="cannot be read: throttled"):
        rows_of(source)


def test_a_parquet_file_that_is_replaced_while_its_unit_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.sources.parquet_rows.rows_at_once", lambda unit: 1)
    source = resolve_source(str(write_mirror(tmp_path / "a", [3])))
    (unit,) = units_of(source)
    tables = read_unit(source, unit)
    first = next(tables)
    other = write_mirror(tmp_path / "b", [4]) / "data/train-00000-of-00001.parquet"
    other.replace(source.files[0])
    (rest,) = tables
    assert (list(image_bytes(first)), list(image_bytes(rest))) == ([png(0)], [None, None])
    assert [why and why.kind for why in unread_rows(rest)] == ["changed while being read"] * 2
