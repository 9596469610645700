"""Folders of images: labels, splits, and what is left out. Nothing is read here, so no Ray is needed."""

import os
from pathlib import Path

import pytest

from pipeline.sources import field_kinds, resolve_source
from tests.sources.conftest import payloads, png, put, refusal


def make(root: Path, *names: str) -> Path:
    for name in names:
        put(root / name, name.encode())
    return root


def labels(root: Path, **options: str) -> dict[str, str | None]:
    return {
        path: rows[0].get("label") for path, rows in payloads(resolve_source(str(root), **options)).items()
    }


def test_labels_are_parent_folders_whatever_the_depth(tmp_path: Path) -> None:
    make(
        tmp_path,
        "cat/1.png",
        "cat/2.png",
        "pets/small/eel/1.png",
        "dog/1.png",
        "dog/brown/3.png",
        "loose.png",
    )
    assert labels(tmp_path) == {
        "cat/1.png": "cat",
        "cat/2.png": "cat",
        "dog/1.png": "dog",
        "dog/brown/3.png": "brown",
        "loose.png": None,
        "pets/small/eel/1.png": "eel",
    }
    source = resolve_source(str(tmp_path))
    assert (source.kind, source.rows, source.payload_columns) == ("imagefolder", 6, ("label", "path"))
    assert payloads(source)["dog/brown/3.png"] == [{"label": "brown", "path": "dog/brown/3.png"}]
    assert list(field_kinds(source, None)) == ["label"]  # every picture has a path of its own
    assert list(field_kinds(source, ["path"])) == ["path"]


def test_a_folder_without_folders_has_no_labels(tmp_path: Path) -> None:
    source = resolve_source(str(make(tmp_path, "b.JPG", "train.jpg", "test.jpg", "c.heic", "d.avif")))
    assert (source.rows, source.payload_columns) == (5, ("path",))


@pytest.mark.parametrize("name", ["train", "test", "training", "dev", "validation", "train station"])
def test_folders_called_like_splits_are_labels_beside_others(tmp_path: Path, name: str) -> None:
    make(tmp_path, "cat/1.png", f"{name}/2.png")
    assert labels(tmp_path) == {"cat/1.png": "cat", f"{name}/2.png": name}


def test_folders_of_splits_where_every_picture_lies_in_one(tmp_path: Path) -> None:
    make(tmp_path, "training/cat/1.png", "training/dog/2.png", "Test/cat/3.png", "README.md", "dev/4.png")
    assert labels(tmp_path) == {"training/cat/1.png": "cat", "training/dog/2.png": "dog"}
    assert labels(tmp_path, split="test") == {"Test/cat/3.png": "cat"}
    assert labels(tmp_path, split="validation") == {"dev/4.png": None}
    assert resolve_source(str(tmp_path)).left_out == {
        ".md": 1,
        "of split test": 1,
        "of split validation": 1,
    }
    assert "no split 'dev'; there are: test, train, validation" in refusal(tmp_path, split="dev")


def test_every_file_is_a_row_or_left_out_by_its_kind(tmp_path: Path) -> None:
    names = [
        "a.jpg",
        "a.jpg.xmp",
        "b.JPG",
        "b.JPG.json",
        "c.psd",
        "d.CR2",
        "e.fits",
        "f.mp4",
        "g",
        ".DS_Store",
    ]
    source = resolve_source(str(make(tmp_path, *names, "sub/i.jpg.json", "sub/j.webp")))
    assert source.left_out == {
        ".json": 2,
        ".cr2": 1,
        ".fits": 1,
        ".mp4": 1,
        ".psd": 1,
        ".xmp": 1,
        "hidden": 1,
        "without an ending": 1,
    }
    everything = sum(len(files) for _, _, files in os.walk(tmp_path))
    assert source.rows + sum(source.left_out.values()) == everything == 12


def test_names_that_patterns_and_utf8_do_not_take(tmp_path: Path) -> None:
    root = tmp_path / "My [backup] photos*?"
    names = {"f::g.jpg", "h\ni.jpg", "a[1].jpg", "Mu\udcf1oz.jpg", "d%204.jpg"}
    for name in names:
        put(root / name, name.encode(errors="surrogateescape"))
    source = resolve_source(str(root))
    assert set(payloads(source)) == names
    assert payloads(source)["Mu\udcf1oz.jpg"] == [{"path": "Mu\\xf1oz.jpg"}]


def test_links_that_lead_out_are_counted_and_the_flag_is_named(tmp_path: Path) -> None:
    make(tmp_path, "nas/2024/1.jpg", "in/own.jpg", "empty/notes.txt")
    for folder in ("in", "empty"):
        (tmp_path / folder / "2024").symlink_to(tmp_path / "nas/2024")
    source = resolve_source(str(tmp_path / "in"))
    assert (source.rows, source.left_out) == (1, {"link outside": 1})
    assert source.notes == (
        f"1 link leads outside of '{tmp_path}/in', such as '2024/'; --follow-links reads what they lead to",
    )
    assert "--follow-links" in refusal(tmp_path / "empty")
    followed = resolve_source(str(tmp_path / "empty"), follow_links=True)
    assert payloads(followed) == {"2024/1.jpg": [{"label": "2024", "path": "2024/1.jpg"}]}


def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path, closed: None) -> None:
    make(tmp_path, "closed/1.jpg", "open/2.jpg")
    source = resolve_source(str(tmp_path))
    assert (source.rows, source.unlisted, source.left_out) == (1, 1, {"unreadable": 1})
    assert "cannot be read, such as 'closed/'" in source.notes[0]


def test_the_revision_follows_names_sizes_and_times(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    before = resolve_source(str(tmp_path))
    assert before.revision == resolve_source(str(tmp_path)).revision
    assert before.bytes == len(png(1))
    put(tmp_path / "a.png", b"longer than before" * 99)
    put(tmp_path / "notes.txt", b"no picture")
    after = resolve_source(str(tmp_path))
    assert before.revision != after.revision
    put(tmp_path / "notes.txt", b"other words")
    assert after.revision == resolve_source(str(tmp_path)).revision
