"""What people write beside their pictures: CSV by clear rules, JSONL and parquet; what fits no picture."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sources import resolve_source
from pipeline.sources.csv_file import parse_csv
from tests.sources.conftest import payloads, put, refusal


def told(root: Path, text: str | bytes, *pictures: str, name: str = "metadata.csv") -> dict[str, dict]:
    """Picture -> its payload without the path, where each stands once."""
    for picture in pictures or ("a.jpg", "b.jpg"):
        put(root / picture, b"x")
    put(root / name, text.encode() if isinstance(text, str) else text)
    found = payloads(resolve_source(str(root)))
    return {path: {k: v for k, v in row.items() if k != "path"} for path, (row,) in found.items()}


@pytest.mark.parametrize(
    "text",
    [
        "file_name,title,year\na.jpg,Zoë,1901\nb.jpg,Ay,1900\n",
        "file_name;title;year\r\na.jpg;Zoë;1901\r\nb.jpg;Ay;1900\r\n",
        "file_name\ttitle\tyear\na.jpg\tZoë\t1901\nb.jpg\tAy\t1900",
        "\ufefffile_name,title,year\na.jpg,Zoë,1901\n\nb.jpg,Ay,1900\n",
        "sep=|\nfile_name|title|year\na.jpg|Zoë|1901\nb.jpg|Ay|1900\n",
        'file_name, title, year\na.jpg, "Zoë", 1901\nb.jpg, Ay, 1900\n',
        "FILE_NAME,title,year\n./a.jpg,Zoë,1901\nb.jpg,Ay,1900,,\n",
        "title,image,year\nZoë,a.jpg,1901\nAy,b.jpg,1900\n",
        "file_name,title,year\na.jpg,Zoë,1901\nb.jpg,Ay,1900\n".encode("utf-16"),
        "file_name,title,year\na.jpg,Zoë,1901\nb.jpg,Ay,1900\n".encode("latin-1"),
    ],
    ids=["commas", "semicolons", "tabs", "bom", "sep", "spaces", "capitals", "image", "utf16", "latin1"],
)
def test_csv_as_people_write_it(tmp_path: Path, text: str | bytes) -> None:
    assert told(tmp_path, text) == {
        "a.jpg": {"title": "Zoë", "year": 1901},
        "b.jpg": {"title": "Ay", "year": 1900},
    }


def test_that_a_file_is_no_utf8_is_said() -> None:
    (note,) = parse_csv("m.csv", "file_name\nZoë.jpg\n".encode("latin-1")).notes
    assert note == "'m.csv' is not UTF-8 (line 2), so it is read as Latin-1 (Windows-1252)"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["NA", "None", "", "null"], ["NA", "None", None, "null"]),
        (["00007", "00014", "7", "8"], ["00007", "00014", "7", "8"]),
        (["1990", "", "-5", "0"], [1990, None, -5, 0]),
        (["18446744073709551615", "1", "2", "3"], [str(2**64 - 1), "1", "2", "3"]),  # see `decode_payload`
        (["99999999999999999999", "1", "2", "3"], ["99999999999999999999", "1", "2", "3"]),
        (["1.5", "2", "", "1e3"], [1.5, 2.0, None, 1000.0]),
        (["True", "false", "", "TRUE"], [True, False, None, True]),
        (["1999-12-31", "", "2000-01-01", "2000-01-02"], ["1999-12-31", None, "2000-01-01", "2000-01-02"]),
        (["2024-13-01", "2024-01-01", "", ""], ["2024-13-01", "2024-01-01", None, None]),
        (["1,5", "2", "3", "4"], ["1,5", "2", "3", "4"]),
        (["", "", "", ""], [None] * 4),
    ],
)
def test_a_column_has_the_type_of_all_of_its_values(tmp_path: Path, values: list, expected: list) -> None:
    names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    lines = [f'{name},"{value}"' for name, value in zip(names, values, strict=True)]
    found = told(tmp_path, "\n".join(["file_name,x", *lines]), *names)
    assert [found[name]["x"] for name in names] == expected
    assert [type(found[name]["x"]) for name in names] == [type(value) for value in expected]


def test_whole_numbers_of_json_that_64_bits_do_not_hold_are_text(tmp_path: Path) -> None:
    lines = ['{"file_name": "a.jpg", "n": 99999999999999999999}', '{"file_name": "b.jpg", "n": -1}']
    found = told(tmp_path, "\n".join(lines), name="metadata.jsonl")
    assert [found[name]["n"] for name in ("a.jpg", "b.jpg")] == ["99999999999999999999", "-1"]


def test_words_after_ten_thousand_empty_fields(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", b"x")
    put(tmp_path / "metadata.csv", ("file_name,note\n" + "a.jpg,\n" * 10_000 + "a.jpg,seen\n").encode())
    rows = payloads(resolve_source(str(tmp_path)))["a.jpg"]
    assert len(rows) == 10_001
    assert (rows[0]["note"], rows[-1]["note"]) == (None, "seen")


def test_dates_are_dates(tmp_path: Path) -> None:
    text = "file_name,day,seen\na.jpg,2024-02-29,2024-01-02T10:00:00Z\nb.jpg,,2024-01-02T12:00:00+01:00\n"
    found = told(tmp_path, text)
    assert found["a.jpg"] == {"day": "2024-02-29", "seen": "2024-01-02T10:00:00Z"}
    assert found["b.jpg"] == {"day": None, "seen": "2024-01-02T11:00:00Z"}
    features = resolve_source(str(tmp_path)).features
    assert (features["day"].dtype, features["seen"].dtype) == ("date32", "timestamp[us, tz=UTC]")


def test_columns_with_odd_names(tmp_path: Path) -> None:
    text = ",file_name,image,Shot by\n0,a.jpg,orig_a.tif,Ann\n1,b.jpg,orig_b.tif,Bob\n"
    assert told(tmp_path, text)["b.jpg"] == {"image": "orig_b.tif", "Shot by": "Bob"}
    source = resolve_source(str(tmp_path))
    assert source.notes == ("'metadata.csv' has a column without a name, which is left out",)
    assert (source.image_column, source.row_name("image")) == ("file_name", "source_image")


def test_rows_that_name_no_picture_are_faults_and_pictures_without_rows_are_counted(tmp_path: Path) -> None:
    text = "file_name,title\na.jpg,A\n,left over\nnever.jpg,N\n../../etc/passwd,P\nc.psd,C\nbare,B\n"
    assert told(tmp_path, text, "a.jpg", "b.jpg", "c.psd", "bare", "z/no.png") == {
        "a.jpg": {"label": None, "title": "A"},
        "b.jpg": {"label": None, "title": None},
        "bare": {"label": None, "title": "B"},  # what metadata name is a picture, also without an ending
        "z/no.png": {"label": "z", "title": None},
    }
    source = resolve_source(str(tmp_path))
    missing = "the row names a file that is not in the source"
    assert [(fault.place, fault.reason) for fault in source.faults] == [
        ("metadata.csv:3", "the row names no file"),
        ("metadata.csv:4", missing),
        ("metadata.csv:5", missing),
        ("metadata.csv:6", "the row names a file that is not read: .psd"),
    ]
    assert source.notes == ("2 pictures have no row in the metadata; their fields are empty",)
    assert source.left_out == {".psd": 1}


@pytest.mark.parametrize("text", ["file_name,title\n", ""])
def test_metadata_without_a_row_take_nothing_away(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text, "cat/a.jpg", "dog/b.jpg") == {
        "cat/a.jpg": {"label": "cat"},
        "dog/b.jpg": {"label": "dog"},
    }
    assert "metadata.csv" in resolve_source(str(tmp_path)).notes[0]


def test_names_written_otherwise_than_the_file_system_does(tmp_path: Path) -> None:
    put(tmp_path / "Mu\udcf1oz.jpg", b"x")
    text = f"file_name,n\nMu\\xf1oz.jpg,4\nin\\a.jpg,1\ne\u0301.jpg,2\n{tmp_path}/c.jpg,3\n"
    assert told(tmp_path, text, "in/a.jpg", "\u00e9.jpg", "c.jpg") == {
        "in/a.jpg": {"label": "in", "n": 1},
        "\u00e9.jpg": {"label": None, "n": 2},
        "c.jpg": {"label": None, "n": 3},
        "Mu\udcf1oz.jpg": {"label": None, "n": 4},
    }


def test_halves_of_surrogate_pairs_in_json_lines(tmp_path: Path) -> None:
    lines = [
        rb'{"file_name": "a.jpg", "title": "smile \ud83d", "\ude00": 1}',
        rb'{"file_name": "Mu\udcf1oz.jpg", "title": "b"}',  # as Python writes a name that is no UTF-8
    ]
    found = told(tmp_path, b"\n".join(lines), "a.jpg", "Mu\udcf1oz.jpg", name="metadata.jsonl")
    assert found == {
        "a.jpg": {"title": r"smile \ud83d", r"\ude00": 1},
        "Mu\udcf1oz.jpg": {"title": "b", r"\ude00": None},
    }


def test_labels_of_folders_beside_metadata(tmp_path: Path) -> None:
    text = "file_name,title\nimages/a.jpg,A\nimages/b.jpg,B\n"
    assert told(tmp_path / "one", text, "images/a.jpg", "images/b.jpg")["images/a.jpg"] == {"title": "A"}
    text = "file_name,label\ncat/a.jpg,tabby\ndog/b.jpg,\n"
    assert told(tmp_path / "own", text, "cat/a.jpg", "dog/b.jpg") == {
        "cat/a.jpg": {"label": "tabby"},
        "dog/b.jpg": {"label": None},
    }


def test_several_metadata_files_are_merged_by_their_columns(tmp_path: Path) -> None:
    put(tmp_path / "x/metadata.csv", b"file_name,n,artist\na.jpg,1,Ann\n")
    put(tmp_path / "y/metadata.csv", b"file_name,year,n\nb.jpg,1990,2.5\n")
    put(tmp_path / "z/metadata.jsonl", b'{"file_name": "c.jpg", "n": 7, "tags": ["t"]}\n')
    found = told(tmp_path, "file_name,note\nd.jpg,root\n", "x/a.jpg", "y/b.jpg", "z/c.jpg", "d.jpg")
    nothing = dict.fromkeys(("label", "note", "n", "artist", "year", "tags"))
    assert found == {
        "d.jpg": nothing | {"note": "root"},
        "x/a.jpg": nothing | {"label": "x", "n": 1.0, "artist": "Ann"},
        "y/b.jpg": nothing | {"label": "y", "n": 2.5, "year": 1990},
        "z/c.jpg": nothing | {"label": "z", "n": 7.0, "tags": ["t"]},
    }
    assert list(found["d.jpg"]) == list(nothing)


def test_a_number_that_the_type_of_all_metadata_does_not_hold_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "x/metadata.csv", b"file_name,n\na.jpg,0.5\n")
    lines = b'{"file_name": "b.jpg", "n": 1152921504606846977}\n{"file_name": "c.jpg", "n": 7}\n'
    put(tmp_path / "y/metadata.jsonl", lines)
    found = told(tmp_path, "", "x/a.jpg", "y/b.jpg", "y/c.jpg", name="other.csv")
    assert [row["n"] for row in found.values()] == [0.5, None, 7.0]


def test_metadata_of_another_split_are_not_read(tmp_path: Path) -> None:
    put(tmp_path / "train/metadata.csv", b"file_name,n\na.jpg,1\n")
    put(tmp_path / "test/metadata.csv", b"not,a metadata file\n1,2\n")
    assert told(
        tmp_path, "file_name,t\ntrain/a.jpg,x\ntest/b.jpg,y\n", "train/a.jpg", "test/b.jpg", name="x"
    ) == {"train/a.jpg": {"n": 1}}


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_typed_metadata(tmp_path: Path, kind: str) -> None:
    rows = {"file_name": ["a.jpg", "b.jpg"], "year": [1901, None], "when": ["2024-01-01T10:00:00Z", None]}
    if kind == "jsonl":
        pairs = [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
        found = told(tmp_path, "\n".join(map(json.dumps, pairs)), name="metadata.jsonl")
        assert found["a.jpg"] == {"year": 1901, "when": "2024-01-01T10:00:00Z"}
    else:
        pq.write_table(pa.table(rows), tmp_path / "table")
        found = told(tmp_path, (tmp_path / "table").read_bytes(), name="metadata.parquet")
        assert found["a.jpg"] == {"year": 1901, "when": "2024-01-01T10:00:00Z"}
    assert found["b.jpg"] == {"year": None, "when": None}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("metadata.csv", "file_name,x\na.jpg,1,2\n", ["'metadata.csv' line 2 has 3 fields", "header has 2"]),
        ("metadata.csv", 'file_name,x\nb.jpg,1\na.jpg,"1\n', ["'metadata.csv' line 3 is not valid CSV"]),
        ("metadata.csv", "file_name,x,x\na.jpg,1,2\n", ["two columns called 'x'"]),
        ("metadata.csv", "name,x\na.jpg,1\n", ["columns name, x", "call that column file_name"]),
        ("metadata.jsonl", '{"file_name": "a.jpg"}\n{"file', ["'metadata.jsonl' line 2 is not valid JSON"]),
        ("metadata.jsonl", "[1]", ["'metadata.jsonl' line 1", "expected an object"]),
        (
            "metadata.jsonl",
            '{"file_name": "a.jpg", "x": 1}\n\n{"file_name": "b.jpg", "x": "one"}',
            ["column 'x' of 'metadata.jsonl'", "a whole number in line 1", "text in line 3"],
        ),
        ("metadata.parquet", "PAR1 no", ["'metadata.parquet' is not a parquet file"]),
    ],
)
def test_errors_name_file_line_and_column(tmp_path: Path, name: str, text: str, words: list[str]) -> None:
    put(tmp_path / "a.jpg", b"x")
    put(tmp_path / name, text.encode())
    said = refusal(tmp_path)
    assert all(word in said for word in words), said


def test_two_files_that_clash_are_named_with_column_and_types(tmp_path: Path) -> None:
    put(tmp_path / "x/a.jpg", b"x")
    put(tmp_path / "x/metadata.jsonl", b'{"file_name": "a.jpg", "n": [1]}')
    put(tmp_path / "metadata.csv", b"file_name,n\nx/a.jpg,1\n")
    said = refusal(tmp_path)
    assert "column 'n' is int64 in 'metadata.csv' and list" in said and "'x/metadata.jsonl'" in said
    put(tmp_path / "metadata.jsonl", b"")
    assert "2 metadata files side by side" in refusal(tmp_path)
