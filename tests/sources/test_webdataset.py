"""Tars of the WebDataset format: groups, what they say of a picture, and damaged ones."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.sources import image_bytes, read_unit, resolve_source, units_of, unread_rows
from pipeline.sources.webdataset import expand_pattern
from tests.sources.conftest import png, put, refusal, rows_of


def tar(path: Path, members: dict[str, bytes], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **options) as out:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    return path


def test_members_of_a_key_are_one_row(tmp_path: Path) -> None:
    path = tar(
        tmp_path / "a.tar",
        {
            "./cats/000.png": png(0),
            "./cats/000.json": b'{"year": 1990, "tags": ["old"]}',
            "./cats/000.cls": b"3\n",
            "./cats/000.txt": "Ein Käse".encode(),
            "cats/001.PNG": png(1),
            "cats/001.cls": b"4",
            "cats/001.mp4": b"film",
            "cats/._001.png": b"of macOS",
        },
    )
    source = resolve_source(str(path))
    rows = rows_of(source)
    assert [(row["file"], row["bytes"]) for row in rows] == [("a.tar", png(0)), ("a.tar", png(1))]
    assert [row["payload"] for row in rows] == [
        {"year": 1990, "tags": ["old"], "cls": 3, "text": "Ein Käse", "path": "a.tar/cats/000.png"},
        {"year": None, "tags": None, "cls": 4, "text": None, "path": "a.tar/cats/001.PNG"},
    ]
    assert (source.kind, source.rows, source.left_out) == ("webdataset", 2, {".mp4": 1, "hidden": 1})


def test_classes_may_be_texts(tmp_path: Path) -> None:
    source = resolve_source(str(tar(tmp_path / "a.tar", {"0.png": png(0), "0.cls": b"cat"})))
    assert rows_of(source)[0]["payload"]["cls"] == "cat"


def test_several_tars_by_a_pattern_and_by_their_folder(tmp_path: Path) -> None:
    for n in range(3):
        tar(tmp_path / f"s-{n:03}.tar", {"0.png": png(n), "0.txt": str(n).encode()})
    for asked in (tmp_path / "s-{000..002}.tar", tmp_path):
        source = resolve_source(str(asked))
        assert [(row["file"], row["payload"]["text"]) for row in rows_of(source)] == [
            (f"s-00{n}.tar", str(n)) for n in range(3)
        ]
    assert "stands for 4 files, and 1 are not there, such as 's-003.tar'" in refusal(
        tmp_path / "s-{000..003}.tar"
    )


def test_patterns() -> None:
    assert expand_pattern("{0..1}/x-{08..10}.tar") == [
        f"{a}/x-{b}.tar" for a in "01" for b in ("08", "09", "10")
    ]
    assert "counts from 9 to 1" in refusal("/data/x-{9..1}.tar")
    assert "counts from 0 to 999999999" in refusal("/data/x-{0..999999999}.tar")


def test_splits_are_those_of_names(tmp_path: Path) -> None:
    tar(tmp_path / "train/a.tar", {"0.png": png(0)})
    tar(tmp_path / "test/a.tar", {"0.png": png(1)})
    put(tmp_path / "notes.doc", b"")
    source = resolve_source(str(tmp_path), split="test")
    assert (source.rows, source.left_out) == (1, {".doc": 1, ".tar of another split": 1})
    assert "has no split 'dev'; there are: test, train" in refusal(tmp_path, split="dev")


def test_every_picture_of_a_group_is_a_row_unless_one_ending_is_asked_for(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", {"0.left.png": png(0), "0.right.png": png(1), "0.txt": b"both"})
    assert [row["payload"]["text"] for row in rows_of(resolve_source(str(path)))] == ["both", "both"]
    source = resolve_source(str(path), image_column="right.png")
    assert [row["bytes"] for row in rows_of(source)] == [png(1)]
    assert source.left_out == {".left.png": 1}
    assert "no pictures '.x'; there are: .left.png, .right.png" in refusal(path, image_column="x")


# A member has a header of 512 bytes, and its data fill another 512.
@pytest.mark.parametrize(
    ("size", "kept"),
    [(2048, 2), (1546, 1), (1536, 1), (2000, 2), (2148, 2)],
    ids=["after a member", "in data", "before data", "in what fills a block", "in a header"],
)
def test_of_a_tar_that_was_cut_short_what_is_whole_stays(size: int, kept: int, tmp_path: Path) -> None:
    whole = tar(tmp_path / "a.tar", {"0.png": png(0), "1.png": png(1), "2.png": png(2)}).read_bytes()
    put(tmp_path / "a.tar", whole[:size])
    put(tmp_path / "b.tar", whole)
    source = resolve_source(str(tmp_path))
    assert [row["bytes"] for row in rows_of(source)] == [png(n) for n in (*range(kept), 0, 1, 2)]
    assert [fault.place for fault in source.faults] == ["a.tar"]
    assert "cut short" in source.faults[0].reason
    assert source.unlisted == 1  # so --sync removes nothing


def test_a_damaged_header_is_not_the_end(tmp_path: Path) -> None:
    whole = bytearray(tar(tmp_path / "a.tar", {"0.png": png(0), "1.png": png(1)}).read_bytes())
    whole[1024:1034] = b"scribbles!"
    source = resolve_source(str(put(tmp_path / "a.tar", bytes(whole))))
    assert (source.rows, len(source.faults)) == (1, 1)
    assert "damaged or cut short at byte 1,024" in source.faults[0].reason


def test_groups_without_a_picture_and_members_that_cannot_be_read(tmp_path: Path) -> None:
    members = {"0.png": png(0), "0.json": b"{not json", "lost.txt": b"said", "1.png": png(1)}
    source = resolve_source(str(tar(tmp_path / "a.tar", members)))
    assert [fault.place for fault in source.faults] == ["a.tar/lost"]
    assert source.notes[0].startswith(
        "1 member of the tars cannot be read, and their fields are empty: 'a.tar/0"
    )
    clash = {"0.png": png(0), "0.json": b'{"y": 1}', "1.png": png(1), "1.json": b'{"y": "one"}'}
    said = refusal(tar(tmp_path / "b.tar", clash))
    assert "the column 'y'" in said and "a whole number in 'b.tar/0.png' and text in 'b.tar/1.png'" in said


def test_half_of_a_surrogate_pair_in_a_caption_costs_no_picture(tmp_path: Path) -> None:
    members = {
        "0.png": png(0),
        "0.json": rb'{"text": "smile \ud83d"}',
        "1.png": png(1),
        "1.json": b'{"text": "b"}',
    }
    rows = rows_of(resolve_source(str(tar(tmp_path / "a.tar", members))))
    assert [(row["bytes"], row["payload"]["text"]) for row in rows] == [
        (png(0), r"smile \ud83d"),
        (png(1), "b"),
    ]


def test_no_member_is_ever_written(tmp_path: Path) -> None:
    path = tar(tmp_path / "in/a.tar", {"../../evil.png": png(0), "/abs.png": png(1)})
    before = sorted(tmp_path.rglob("*"))
    assert [row["bytes"] for row in rows_of(resolve_source(str(path)))] == [png(0), png(1)]
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_no_tar_or_has_no_pictures(tmp_path: Path) -> None:
    assert "it is no tar, or damaged" in refusal(put(tmp_path / "a.tar", b"hello" * 500))
    assert "found 1 .mp4" in refusal(tar(tmp_path / "b.tar", {"0.mp4": b"x"}))
    packed = tar(tmp_path / "real.tar", {"0.png": png(0)})
    link = tarfile.TarInfo("1.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(packed, "a") as out:
        out.addfile(link)
    assert resolve_source(str(packed)).left_out == {"no regular file": 1}


def test_a_tar_that_changes_after_it_was_listed_gives_no_other_bytes(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", {"0.png": png(0)})
    source = resolve_source(str(path))
    path.write_bytes(path.read_bytes()[:520])
    assert rows_of(source)[0]["unread"].kind == "changed while being read"
    path.unlink()
    assert rows_of(source)[0]["unread"].kind == "is gone"


def test_a_tar_that_is_replaced_while_its_unit_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.sources.table_rows.rows_at_once", lambda unit: 1)
    path = tar(tmp_path / "a.tar", {f"{n}.png": png(n) for n in range(3)})
    source = resolve_source(str(path))
    (unit,) = units_of(source)
    tables = read_unit(source, unit)
    found = [next(tables)]
    other = tar(tmp_path / "other", {f"{n}.png": png(n + 100) for n in range(3)})
    other.replace(path)
    found += tables
    assert [list(image_bytes(table)) for table in found] == [[png(0)], [None], [None]]
    assert [whys.kind for table in found[1:] for whys in unread_rows(table) if whys] == [
        "changed while being read"
    ] * 2
