"""One walk over a folder: order, links, names of any bytes, and what may not be read."""

import os
import time
from pathlib import Path

import pytest

from pipeline.sources.walk import raw_name, readable, walk
from tests.sources.conftest import put

NAMES = [
    "a.jpg",
    "a/b.jpg",
    "a/b/c.jpg",
    "a b/x.jpg",
    "f::g.jpg",
    "h\ni.jpg",
    "x[1]*?.jpg",
    "back\\slash.jpg",
]


def listed(root: Path, **options: bool) -> dict[str, str | None]:
    return {file.path: file.skipped for file in walk(str(root), **options)}


def test_every_file_comes_once_sorted_by_its_path(tmp_path: Path) -> None:
    for name in NAMES:
        put(tmp_path / name, b"12")
    files = list(walk(str(tmp_path)))
    assert [file.path for file in files] == sorted(NAMES)
    assert {(file.size, file.skipped) for file in files} == {(2, None)}


def test_names_that_are_no_utf8_have_a_readable_form_that_leads_back(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/Mu\xf1oz.jpg")).write_bytes(b"x")
    (file,) = walk(str(tmp_path))
    assert readable(file.path) == "Mu\\xf1oz.jpg"
    assert raw_name(readable(file.path)) == file.path
    assert readable("日本 é.jpg") == "日本 é.jpg"


def test_links_that_lead_outside_are_followed_only_when_asked(tmp_path: Path) -> None:
    put(tmp_path / "nas/2024/1.jpg", b"1")
    put(tmp_path / "nas/one.jpg", b"2")
    put(tmp_path / "in/own.jpg", b"3")
    (tmp_path / "in/2024").symlink_to(tmp_path / "nas/2024")
    (tmp_path / "in/one.jpg").symlink_to("../nas/one.jpg")
    (tmp_path / "in/gone.jpg").symlink_to("nowhere")
    assert listed(tmp_path / "in") == {
        "2024/": "link outside",
        "gone.jpg": "broken link",
        "one.jpg": "link outside",
        "own.jpg": None,
    }
    followed = listed(tmp_path / "in", follow_links=True)
    assert followed == {"2024/1.jpg": None, "gone.jpg": "broken link", "one.jpg": None, "own.jpg": None}


def test_no_circle_is_walked_and_no_folder_twice(tmp_path: Path) -> None:
    put(tmp_path / "other/deep/1.jpg", b"1")
    put(tmp_path / "in/cats/2.jpg", b"2")
    (tmp_path / "in/again").symlink_to(tmp_path / "in/cats")
    (tmp_path / "in/cats/up").symlink_to(tmp_path / "in")
    (tmp_path / "in/out").symlink_to(tmp_path / "other")
    (tmp_path / "in/out2").symlink_to(tmp_path / "other/deep")
    (tmp_path / "in/parent").symlink_to(tmp_path)
    (tmp_path / "in/best.jpg").symlink_to("cats/2.jpg")
    again = "link to a listed folder"
    assert listed(tmp_path / "in", follow_links=True) == {
        "again/": again,
        "best.jpg": None,
        "cats/2.jpg": None,
        "cats/up/": again,
        "out/deep/1.jpg": None,
        "out2/": again,
        "parent/in/": again,
        "parent/other/": again,
    }


def test_what_is_hidden_or_no_file_is_named(tmp_path: Path) -> None:
    put(tmp_path / ".git/objects/1.jpg", b"1")
    put(tmp_path / "__MACOSX/._a.jpg", b"1")
    put(tmp_path / "__init/a.jpg", b"1")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "annexed.jpg").symlink_to(".git/objects/1.jpg")
    assert listed(tmp_path) == {
        ".git/": "hidden",
        "__MACOSX/": "hidden",
        "__init/a.jpg": None,
        "annexed.jpg": None,
        "pipe.jpg": "no regular file",
    }


def test_a_folder_without_permission_is_named_and_the_rest_goes_on(tmp_path: Path, closed: None) -> None:
    put(tmp_path / "closed/1.jpg", b"1")
    put(tmp_path / "open/2.jpg", b"1")
    assert listed(tmp_path) == {"closed/": "unreadable", "open/2.jpg": None}


@pytest.mark.long
def test_twenty_thousand_files_take_well_under_two_seconds(tmp_path: Path) -> None:
    for folder in range(20):
        (tmp_path / f"{folder}").mkdir()
        for name in range(1000):
            os.close(os.open(tmp_path / f"{folder}/{name}.jpg", os.O_CREAT))
    start = time.process_time()
    assert sum(1 for _ in walk(str(tmp_path))) == 20_000
    assert time.process_time() - start < 2
