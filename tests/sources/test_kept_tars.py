"""What was found in tars is kept: a later job reads those that are new or changed, and no others."""

import json
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.sources import Source, resolve_source
from pipeline.sources import kept_tars as module
from pipeline.sources.kept_tars import forget_tars, kept_indexes
from pipeline.sources.source import FileState, KeptTars
from pipeline.sources.storage import open_stream
from pipeline.sources.tar_index import index_tar
from tests.sources.conftest import png, put, rows_of
from tests.sources.test_webdataset import tar


def look(folder: Path, kept: Path, adds: bool = True) -> Source:
    return resolve_source(str(folder), kept_tars=KeptTars(str(kept), adds))


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Path]:
    """A folder of three tars, each with a picture and what is said of it."""
    for n in range(3):
        tar(tmp_path / f"in/{n}.tar", {"0.png": png(n), "0.txt": str(n).encode()})
    yield tmp_path / "in"


def test_a_second_look_reads_no_tar_again(three: Path, tmp_path: Path, opened: list[str]) -> None:
    first = look(three, tmp_path / "kept")
    assert sorted(opened) == ["0.tar", "1.tar", "2.tar"]
    second = look(three, tmp_path / "kept")
    assert len(opened) == 3
    assert rows_of(second) == rows_of(first)
    assert (second.revision, second.features, second.left_out) == (
        first.revision,
        first.features,
        first.left_out,
    )


def test_only_what_is_new_or_changed_is_read(three: Path, tmp_path: Path, opened: list[str]) -> None:
    look(three, tmp_path / "kept")
    opened.clear()
    tar(three / "1.tar", {"0.png": png(1), "0.txt": b"another"})
    os.utime(three / "1.tar", ns=(0, 1))
    tar(three / "3.tar", {"0.png": png(3)})
    source = look(three, tmp_path / "kept")
    assert sorted(opened) == ["1.tar", "3.tar"]
    assert [row["payload"]["text"] for row in rows_of(source)] == ["0", "another", "2", None]
    look(three, tmp_path / "kept")
    assert len(opened) == 2


def test_what_is_kept_is_all_that_was_found(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9.png")
    members = {
        odd: png(0),
        os.fsdecode(b"caf\xe9.json"): b'{"n": 1e999, "big": 18446744073709551615, "nested": {"a": [null]}}',
        "0.png": png(1),
        "0.json": b"{not json",
        "silent.txt": b"said",
        "film.mp4": b"x",
        ".hidden.png": b"x",
    }
    tar(tmp_path / "in/a.tar", members)
    source = look(tmp_path / "in", tmp_path / "kept")
    kept = kept_indexes(KeptTars(str(tmp_path / "kept"), True), source.root, source.states)
    found = index_tar(source.root, "a.tar")
    assert kept == {"a.tar": found}
    assert found.pictures[0].name == odd and found.faults and found.unread and found.left_out
    assert list(kept["a.tar"].told) == list(found.told)  # the order of columns


def packed(told: Any) -> bytes:
    return zlib.compress(json.dumps(told).encode())


SPOILED: dict[str, Callable[[bytes, dict[str, Any]], bytes]] = {
    "nothing": lambda whole, told: b"",
    "cut short": lambda whole, told: whole[:-9],
    "a flipped bit": lambda whole, told: whole[:40] + bytes([whole[40] ^ 1]) + whole[41:],
    "a pickle": lambda whole, told: b"\x80\x04N.",
    "no JSON": lambda whole, told: zlib.compress(b"{"),
    "a list": lambda whole, told: packed([]),
    "nested": lambda whole, told: zlib.compress(b"[" * 200_000),
    "another tar": lambda whole, told: packed(told | {"about": "x"}),
    "fields missing": lambda whole, told: packed({"about": told["about"]}),
    "other values": lambda whole, told: packed(told | {"pictures": [["a", "b", None, "c"]]}),
    "a word for fields": lambda whole, told: packed(told | {"told": "x"}),
    "endless": lambda whole, told: packed(told | {"x": " " * 3_000_000}),
}


@pytest.mark.parametrize("how", list(SPOILED))
def test_a_kept_file_that_is_damaged_or_foreign_is_made_anew(
    how: str, three: Path, tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 1_000_000)
    first = rows_of(look(three, tmp_path / "kept"))
    file = sorted((tmp_path / "kept").iterdir())[0]
    whole = file.read_bytes()
    file.write_bytes(SPOILED[how](whole, json.loads(zlib.decompress(whole))))
    opened.clear()
    assert rows_of(look(three, tmp_path / "kept")) == first
    assert len(opened) == 1
    assert file.read_bytes() == whole


def test_what_is_too_large_to_be_kept_is_read_each_time(
    three: Path, tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 10)
    look(three, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    look(three, tmp_path / "kept")
    assert len(opened) == 6


def test_damaged_tars_are_looked_at_again(three: Path, tmp_path: Path, opened: list[str]) -> None:
    put(three / "1.tar", (three / "1.tar").read_bytes()[:700])
    for _ in range(2):
        assert [fault.place for fault in look(three, tmp_path / "kept").faults] == ["1.tar"]
    assert opened.count("1.tar") == 2 and len(opened) == 4


def test_a_tar_that_changes_after_the_listing_is_not_kept_as_what_was_listed(
    three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(location: str, *rest: Any) -> Any:
        if location.endswith("1.tar"):
            tar(three / "1.tar", {"0.png": png(9)})
            os.utime(location, ns=(0, 1))
        return open_stream(location, *rest)

    monkeypatch.setattr("pipeline.sources.tar_index.open_stream", replaced)
    source = look(three, tmp_path / "kept")
    kept = kept_indexes(KeptTars(str(tmp_path / "kept"), True), source.root, source.states)
    assert sorted(kept) == ["0.tar", "2.tar"]


def test_where_nothing_is_added_what_is_there_is_used(three: Path, tmp_path: Path, opened: list[str]) -> None:
    look(three, tmp_path / "kept", adds=False)
    assert not (tmp_path / "kept").exists()
    look(three, tmp_path / "kept")
    opened.clear()
    look(three, tmp_path / "kept", adds=False)
    assert opened == []


def test_a_home_that_takes_nothing_costs_a_note(three: Path, tmp_path: Path, capsys: Any) -> None:
    put(tmp_path / "kept-not", b"a file where a folder should be")
    assert look(three, tmp_path / "kept-not" / "tars").rows == 3
    assert "cannot be kept in" in capsys.readouterr().err


def test_what_changed_or_is_gone_is_forgotten(three: Path, tmp_path: Path) -> None:
    kept, other = tmp_path / "kept", tmp_path / "other"
    tar(other / "0.tar", {"0.png": png(7)})
    look(other, kept)
    look(three, kept)
    os.utime(three / "1.tar", ns=(0, 1))
    (three / "2.tar").unlink()
    source = look(three, kept)
    assert len(list(kept.iterdir())) == 5
    forget_tars(str(kept), source.root, source.states, others=False)  # of a job that adds to the collection
    assert len(list(kept.iterdir())) == 4
    forget_tars(str(kept), source.root, source.states, others=True)
    assert set(kept_indexes(KeptTars(str(kept), True), source.root, source.states)) == {"0.tar", "1.tar"}
    assert len(list(kept.iterdir())) == 2


def test_of_the_hub_a_commit_matters_only_where_no_hash_is_told() -> None:
    one, two = (f"hf://datasets/me/tars@{commit}/" for commit in ("aaa", "bbb"))
    hashed, timeless = FileState(9, "5f2c"), FileState(9, "0")
    assert module._name(one, "a.tar", hashed) == module._name(two, "a.tar", hashed)
    assert module._name(one, "a.tar", timeless) != module._name(two, "a.tar", timeless)
    places = {module._place(module._name(root, "a.tar", timeless)) for root in (one, two)}
    assert len(places) == 1  # so that the older one is forgotten
