"""Folders of images: labels, metadata, splits, and files that are gone."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sources import resolve_source
from tests.sources.conftest import png, put, read_all, refusal

pytestmark = pytest.mark.usefixtures("ray_here")


def test_subfolders_are_labels(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        put(tmp_path / name, name.encode())
    source = resolve_source(str(tmp_path))
    assert (source.kind, source.rows, source.payload_columns) == ("imagefolder", 3, ("label",))
    rows = {row["file"]: row for row in read_all(source)}
    assert {file: row["payload"]["label"] for file, row in rows.items()} == {
        "cat/1.png": "cat",
        "cat/2.png": "cat",
        "dog/1.png": "dog",
    }
    assert all(row["bytes"] == file.encode() for file, row in rows.items())


def test_a_plain_folder_with_any_extension_and_depth(tmp_path: Path) -> None:
    names = ["a.jpg", "b.JPG", "c.Jpeg", "d.webp", "deep/er/e.png", "train.jpg", "test.jpg"]
    for name in names:
        put(tmp_path / name, b"not even an image")
    for number in range(9):
        put(tmp_path / f"note {number}.txt", b"words")
    put(tmp_path / ".hidden.png", png(0))
    source = resolve_source(str(tmp_path))
    assert [row["file"] for row in read_all(source)] == sorted(names)
    assert source.rows == len(names)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_metadata_of_any_kind(tmp_path: Path, kind: str) -> None:
    for name in ("z.png", "in/a.png"):
        put(tmp_path / name, name.encode())
    rows = {"file_name": ["z.png", "in/a.png"], "title": ["Zed", "Ay"], "year": [1901, 1900]}
    if kind == "csv":
        put(tmp_path / "metadata.csv", b"file_name,title,year\nz.png,Zed,1901\nin/a.png,Ay,1900\n")
    elif kind == "jsonl":
        pairs = [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
        put(tmp_path / "metadata.jsonl", "\n".join(map(json.dumps, pairs)).encode())
    else:
        pq.write_table(pa.table(rows), tmp_path / "metadata.parquet")
    found = read_all(resolve_source(str(tmp_path)))
    assert [(row["file"], row["payload"]) for row in found] == [
        ("in/a.png", {"title": "Ay", "year": 1900}),
        ("z.png", {"title": "Zed", "year": 1901}),
    ]
    assert [row["bytes"] for row in found] == [b"in/a.png", b"z.png"]


def test_folders_of_splits(tmp_path: Path) -> None:
    for name in ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png"):
        put(tmp_path / name, png(1))
    assert [row["file"] for row in read_all(resolve_source(str(tmp_path), split="test"))] == [
        "test/cat/3.png"
    ]
    assert resolve_source(str(tmp_path)).rows == 2
    assert "no split 'dev'; there are: test, train" in refusal(tmp_path, split="dev")


def test_files_that_are_gone_or_unreadable_have_null_bytes(tmp_path: Path) -> None:
    put(tmp_path / "metadata.csv", b"file_name\na.png\nnever.png\nb.png\nb.png\n")
    put(tmp_path / "a.png", png(1))
    put(tmp_path / "b.png", png(2))
    source = resolve_source(str(tmp_path))
    (tmp_path / "a.png").unlink()
    rows = read_all(source)
    assert [(row["file"], row["bytes"]) for row in rows] == [
        ("a.png", None),
        ("b.png", png(2)),
        ("b.png", png(2)),
        ("never.png", None),
    ]
    assert len({row["row_key"] for row in rows}) == 4


def test_a_folder_is_read_anew_when_it_has_changed(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    before = resolve_source(str(tmp_path))
    keys = {row["file"]: row["row_key"] for row in read_all(before)}
    put(tmp_path / "a.png", b"longer than before" * 99)
    put(tmp_path / "0.png", png(3))
    after = resolve_source(str(tmp_path))
    assert (before.rows, after.rows) == (1, 2)
    assert before.revision != after.revision
    rows = {row["file"]: row for row in read_all(after)}
    assert rows["a.png"]["bytes"] == b"longer than before" * 99
    assert rows["a.png"]["row_key"] == keys["a.png"]
    assert [row["file"] for row in read_all(after, limit=1)] == ["0.png"]
