"""Units: what is known of a source before a picture is read, and what changes when the source does."""

import os
import pickle
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sources import Source, read_unit, resolve_source, split_columns, units_of
from pipeline.sources.footers import read_footers
from pipeline.sources.parquet_rows import cut_groups
from pipeline.sources.source import RowGroup
from pipeline.sources.units import (
    MOST_BYTES,
    MOST_ROWS,
    cut_evenly,
    cut_names,
    most_rows,
    payload_key,
)
from tests.sources.conftest import png, put, rows_of, write_mirror
from tests.sources.test_webdataset import tar

NAMES = [f"in/{n:06d}.jpg" for n in range(20_000)]


def names(root: Path) -> list[str]:
    return [unit.name for unit in units_of(resolve_source(str(root)))]


def whys(source: Source) -> list[str | None]:
    return [row["unread"] and row["unread"].kind for row in rows_of(source)]


def test_slices_cover_all_names_and_are_bounded() -> None:
    cuts = list(cut_names(NAMES, [1] * len(NAMES)))
    assert [start for start, _ in cuts[1:]] == [stop for _, stop in cuts[:-1]]
    assert (cuts[0][0], cuts[-1][1]) == (0, len(NAMES))
    lengths = [stop - start for start, stop in cuts]
    assert max(lengths) <= 1024 and 128 < np.mean(lengths) < 512  # 256 on average, for so many files


@pytest.mark.parametrize("at", [0, 7_000, 19_999])
def test_a_file_that_comes_or_goes_changes_one_slice(at: int) -> None:
    def slices(paths: list[str]) -> set[tuple[str, ...]]:
        return {tuple(paths[start:stop]) for start, stop in cut_names(paths, [1] * len(paths))}

    before, after = slices(NAMES), slices(NAMES[:at] + NAMES[at + 1 :])
    assert len(before - after) <= 2 and len(after - before) <= 2  # two where the file began a slice


def test_rows_without_a_name_begin_no_slice() -> None:
    assert list(cut_names(["b", "", "c", ""] * 5, [1] * 20)) == [(0, 20)]


def test_slices_are_bounded_in_bytes() -> None:
    cuts = list(cut_names(["a"] * 5, [MOST_BYTES // 2] * 5))
    assert cuts == [(0, 2), (2, 4), (4, 5)]


def test_even_ranges() -> None:
    assert list(cut_evenly(0, 5)) == []
    assert list(cut_evenly(5, 5)) == [(0, 5)]
    assert [stop - start for start, stop in cut_evenly(11, 5)] == [4, 4, 3]
    assert most_rows(10, 10, 10 * 2 * MOST_BYTES) == 1


@pytest.mark.parametrize(
    ("groups", "least", "expected"),
    [
        ([40] * 3, 1, [(0, 3, 0, 120)]),
        ([100, 100, 100], 1, [(0, 1, 0, 100), (1, 2, 0, 100), (2, 3, 0, 100)]),
        ([250], 1, [(0, 1, 0, 125), (0, 1, 125, 125)]),
        ([250], 2048, [(0, 1, 0, 250)]),
        ([2050], 2048, [(0, 1, 0, 1025), (0, 1, 1025, 1025)]),
        ([], 1, []),
    ],
    ids=[
        "small ones together",
        "not beyond the bound",
        "in ranges",
        "whole from afar",
        "cut from afar",
        "none",
    ],
)
def test_row_groups(groups: list[int], least: int, expected: list[tuple[int, ...]]) -> None:
    spans = list(cut_groups([RowGroup(rows, rows, rows * 3_000) for rows in groups], least, sum(groups)))
    assert [span[:4] for span in spans] == expected
    assert [span.number for span in spans] == list(np.cumsum([0, *(span.rows for span in spans)]))[:-1]


def test_large_files_have_units_of_up_to_2048_rows() -> None:
    spans = list(cut_groups([RowGroup(1024, 1024, 3_000_000)] * 100, 1, 102_400))
    assert {span.rows for span in spans} == {2048}


@pytest.mark.parametrize("least", [1, MOST_ROWS])
def test_row_groups_are_cut_wherever_they_lie_and_if_they_hold_lists(least: int) -> None:
    for group in (RowGroup(32_768, 32_768, 10**8), RowGroup(100, 32_768, 10**8)):
        spans = list(cut_groups([group], least, 10**6))
        assert [(span.skip, span.rows) for span in spans] == [(n * 2048, 2048) for n in range(16)]
    huge = list(cut_groups([RowGroup(2**20, 2**20, 10**9)], least, 2**20))
    assert [span.rows for span in huge] == [2**16] * 16, "it would be read too often"


def test_a_row_group_in_a_single_large_page_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each range of it would read all of it. Arrow writes pictures so, unless it is told not to."""
    pictures = {"bytes": [bytes([n % 256]) * 3_000 + n.to_bytes(4) for n in range(900)]}
    table = pa.table({"image": pa.array([{"bytes": data, "path": None} for data in pictures["bytes"]])})
    for file, dictionary in (("plain", False), ("dictionary", True)):
        pq.write_table(table, tmp_path / f"{file}.parquet", use_dictionary=dictionary, compression="none")
    small = read_footers("test", [str(tmp_path / "dictionary.parquet")], None, None)[0].groups_of("image")
    assert not any(group.in_one_page for group in small)
    monkeypatch.setattr("pipeline.sources.footers._LARGE_PAGE", 2**20)
    groups = {
        file: read_footers("test", [str(tmp_path / f"{file}.parquet")], None, None)[0].groups_of("image")
        for file in ("plain", "dictionary")
    }
    assert [group.in_one_page for group in (*groups["plain"], *groups["dictionary"])] == [False, True]
    assert len(list(cut_groups(groups["plain"], 1, 900))) > 1
    assert [span.rows for span in cut_groups(groups["dictionary"], 1, 900)] == [900]


def test_an_empty_row_group_between_others(tmp_path: Path) -> None:
    table = pq.read_table(write_mirror(tmp_path, [4]) / "data/train-00000-of-00001.parquet")
    with pq.ParquetWriter(tmp_path / "a.parquet", table.schema) as out:
        for piece in (table[:2], table[:0], table[2:]):
            out.write_table(piece)
    source = resolve_source(str(tmp_path / "a.parquet"))
    assert [row["bytes"] for row in rows_of(source)] == [png(n) for n in range(4)]


def test_a_row_group_of_lists_is_read_in_ranges(tmp_path: Path) -> None:
    kind = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    lists = [[{"bytes": png((7 * row + n) % 256), "path": None} for n in range(7)] for row in range(40)]
    lists[3] = []
    table = pa.table({"images": pa.array(lists, kind), "n": list(range(40))})
    pq.write_table(table, tmp_path / "a.parquet", use_dictionary=False)
    source = resolve_source(str(tmp_path / "a.parquet"), image_column="images")
    assert [(unit.span.skip, unit.rows) for unit in units_of(source) if unit.span] == [
        (0, 92),
        (92, 91),
        (183, 91),
    ]
    expected = [(each["bytes"], n) for n, row in enumerate(lists) for each in row or [{"bytes": None}]]
    assert [(row["bytes"], row["payload"]["n"]) for row in rows_of(source)] == expected


def test_units_of_a_range_give_its_rows(tmp_path: Path) -> None:
    root = write_mirror(tmp_path, [250], n=list(range(250)))
    source = resolve_source(str(root))
    units = units_of(source)
    assert sum(unit.rows for unit in units) == 250
    assert len(units) == 2 and len({unit.name for unit in units}) == len(units)
    found = [(row["payload"]["n"], row["bytes"]) for row in rows_of(source)]
    assert found == [(n, png(n)) for n in range(250)]


def test_a_limit_cuts_the_last_unit(tmp_path: Path) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [5, 4])))
    assert [unit.rows for unit in units_of(source, 7)] == [5, 2]
    assert units_of(source, 7)[0].name == units_of(source)[0].name
    assert units_of(source, 7)[1].name != units_of(source)[1].name


def test_only_the_file_that_changed_has_new_units(tmp_path: Path) -> None:
    root = write_mirror(tmp_path / "m", [3, 3])
    before = names(root)
    assert names(root) == before
    changed = root / "data/train-00001-of-00002.parquet"
    os.utime(changed, ns=(0, 0))
    after = names(root)
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_what_is_made_of_the_payload_names_the_unit(tmp_path: Path) -> None:
    put(tmp_path / "a/1.png", png(1))
    put(tmp_path / "metadata.csv", b"file_name,tags\na/1.png,red;big\n")
    source = resolve_source(str(tmp_path))
    (before,), (after,) = units_of(source), units_of(split_columns(source, {"tags": ";"}))
    assert before.name != after.name and before.name.split("-")[0] == after.name.split("-")[0]


def test_an_edited_table_renews_the_payload_and_a_new_class_renews_nothing(tmp_path: Path) -> None:
    for folder in ("b", "c"):
        put(tmp_path / folder / "1.png", png(1))
    put(tmp_path / "metadata.csv", b"file_name,year\nb/1.png,1990\n")
    (before,) = names(tmp_path)
    put(tmp_path / "metadata.csv", b"file_name,year\nb/1.png,1991\n")
    (edited,) = names(tmp_path)
    assert edited != before and edited.split("-")[0] == before.split("-")[0]
    source = resolve_source(str(tmp_path))
    put(tmp_path / "a/1.png", png(1))  # b and c have other numbers now, and the same names
    renumbered = resolve_source(str(tmp_path))
    assert (source.features["label"].names, renumbered.features["label"].names) == (
        ["b", "c"],
        ["a", "b", "c"],
    )
    key = [payload_key(each, each.payload_columns, ["label"]) for each in (source, renumbered)]
    assert key[0] == key[1]


def test_tasks_carry_no_names_of_files(tmp_path: Path) -> None:
    for n in range(3):
        put(tmp_path / f"{n}.png", png(n))
    source = resolve_source(str(tmp_path)).without_rows()
    assert (source.files, source.table, source.states) == ((), None, {})


def test_a_file_that_changes_after_the_listing_is_said_to(tmp_path: Path) -> None:
    for n in range(4):
        put(tmp_path / f"{n}.png", png(n))
    source = resolve_source(str(tmp_path))
    put(tmp_path / "0.png", png(99))
    put(tmp_path / "1.png", png(1)[:20])
    (tmp_path / "2.png").unlink()
    assert whys(source) == ["changed while being read"] * 2 + ["is gone", None]


def test_a_folder_in_place_of_a_file_is_a_file_that_is_gone(tmp_path: Path) -> None:
    pictures, shards, tars = (tmp_path / kind for kind in ("pictures", "shards", "tars"))
    put(pictures / "0.png", png(0))
    write_mirror(shards, [1])
    tar(tars / "0.tar", {"0.png": png(0)})
    for root in (pictures, shards, tars):
        source = resolve_source(str(root))
        (file,) = (path for path in root.rglob("*") if path.is_file())
        file.unlink()
        file.mkdir()
        assert whys(source) == ["is gone"]


def test_a_shard_that_changes_after_the_listing_is_said_to(tmp_path: Path) -> None:
    root = write_mirror(tmp_path, [2, 2, 2])
    source = resolve_source(str(root))
    first, second, _ = (Path(file) for file in source.files)
    first.write_bytes(first.read_bytes()[:-50])
    second.unlink()
    assert whys(source) == ["changed while being read"] * 2 + ["is gone"] * 2 + [None] * 2


def test_a_damaged_row_group_is_told_and_its_neighbours_are_kept(tmp_path: Path) -> None:
    images = [{"bytes": os.urandom(400), "path": None} for _ in range(30)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    file = tmp_path / "data/train-00000-of-00001.parquet"
    file.parent.mkdir()
    pq.write_table(pa.table({"image": pa.array(images, kind)}), file, row_group_size=10, compression="snappy")
    column = pq.read_metadata(file).row_group(1).column(0)
    begins = column.dictionary_page_offset or column.data_page_offset
    data = bytearray(file.read_bytes())
    data[begins : begins + 60] = b"\xff" * 60
    file.write_bytes(data)
    source = resolve_source(str(tmp_path), image_column="image")
    rows = rows_of(source)
    assert [row["bytes"] is None for row in rows] == [False] * 10 + [True] * 10 + [False] * 10
    assert {row["unread"].kind for row in rows[10:20]} == {"damaged"}
    assert rows[10]["unread"].reason.startswith(
        "row group 1 of 'data/train-00000-of-00001.parquet' is damaged"
    )


def test_twenty_thousand_files_become_units_quickly(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n in range(20_000):
        os.close(os.open(tmp_path / f"in/{n}.png", os.O_CREAT))
    began = time.process_time()
    units = units_of(resolve_source(str(tmp_path)))
    assert sum(unit.rows for unit in units) == 20_000
    assert time.process_time() - began < 2


def test_rows_of_a_unit_are_numbered_in_their_file(tmp_path: Path) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [300])))
    units = units_of(source)
    last = [table["row"].to_pylist() for table in read_unit(source, units[-1])]
    assert last[-1][-1] == 299


def test_a_unit_is_sent_with_its_own_rows_alone(tmp_path: Path) -> None:
    for n in range(300):
        put(tmp_path / f"{n:03}.png", png(1))
    units = units_of(resolve_source(str(tmp_path)))
    assert len(units) > 2
    sent = [pickle.dumps(unit) for unit in units]
    assert sum(map(len, sent)) < 3 * len(pickle.dumps(units[0].slice))
    assert [pickle.loads(each).slice for each in sent] == [unit.slice for unit in units]
