"""Pictures of a source beside those of another one that was added: who says what of a picture of both."""

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.indexing.catalogue import Catalogue, LiveMarks
from pipeline.indexing.staged import Staged
from pipeline.staging.ids import words_of
from pipeline.store.unit_record import Entry, Record, read_record, write_record
from tests.indexing.units_by_hand import ByHand, points, said
from tests.sources.conftest import png, put


@dataclass
class Two:
    """Sources `a` and `b`, and the record and the payloads of the version that jobs of them have made."""

    folder: Path
    hand: ByHand
    record: Record | None = None
    stored: dict[str, dict] = field(default_factory=dict)

    def put(self, source: str, *names: str) -> None:
        """Pictures such as `cats/1.png`; the same number is the same picture."""
        for name in names:
            put(self.folder / source / name, png(int(Path(name).stem[0])))

    def index(self, source: str, credit: str | None = None, **asked: Any) -> Catalogue:
        """What a job decides, and its writes."""
        _, units = self.hand.stage(self.folder / source, credit)
        options = {"live": self.record, "credit": credit, "source": source} | asked
        catalogue = self.hand.catalogue(units, **options)
        assert said(catalogue)
        self.record = Record(catalogue.record_entries())
        self.stored |= points(self.hand, catalogue)
        return catalogue

    def says(self, shade: int) -> tuple[Any, list[str]]:
        """Label and places of a picture."""
        (found,) = (
            each
            for each in self.stored.values()
            if any(place.split("/")[-1].startswith(str(shade)) for place in each["_simile"]["places"])
        )
        return found["label"], found["_simile"]["places"]


@pytest.fixture
def two(tmp_path: Path) -> Two:
    """Picture 1 is in both sources under two labels, 2 and 3 are in one."""
    made = Two(tmp_path, ByHand(tmp_path / "home"))
    made.put("a", "cats/1.png", "cats/2.png")
    made.put("b", "best/1.png", "best/3.png")
    return made


BOTH = (["cats", "best"], ["cats/1.png:0", "best/1.png:0"])


@pytest.mark.parametrize("order", ["ab", "ba", "aba", "abab"])
def test_a_picture_of_two_sources_is_one_point_found_under_both(two: Two, order: str) -> None:
    for source in order:
        last = two.index(source)
    assert two.says(1) == BOTH
    assert (len(two.stored), last.total) == (3, 3)
    assert last.to_write == (2 if len(order) == 2 else 0)  # the later jobs find nothing to write
    assert len(two.hand.embedded) == 3  # each picture once


def test_of_one_source_the_new_row_takes_the_old_one_s_place(two: Two) -> None:
    two.index("a")
    two.index("b")
    (two.folder / "a/cats/1.png").rename(two.folder / "a/cats/1-renamed.png")
    two.index("a")
    assert two.says(1) == (["cats", "best"], ["cats/1-renamed.png:0", "best/1.png:0"])
    (two.folder / "b/best").rename(two.folder / "b/worst")
    two.index("b")
    assert two.says(1) == (["cats", "worst"], ["cats/1-renamed.png:0", "worst/1.png:0"])
    assert two.says(3) == ("worst", ["worst/3.png:0"])
    assert two.index("a").to_write == 0


def test_a_row_that_its_source_lost_stays_in_the_point_until_its_source_is_synced(two: Two) -> None:
    two.index("a")
    two.index("b")
    (two.folder / "b/best/1.png").unlink()
    assert two.index("b").to_write == 0
    assert two.index("a").to_write == 0
    two.put("b", "other/1.png")
    two.index("b")
    assert two.says(1) == (["cats", "other"], ["cats/1.png:0", "other/1.png:0"])
    synced = two.index("a", keeps=False)
    assert two.says(1) == ("cats", ["cats/1.png:0"])
    assert (synced.total, len(synced.gone)) == (2, 1)


def test_two_sources_may_have_the_same_unit(two: Two) -> None:
    shutil.copytree(two.folder / "a", two.folder / "c")  # with the times of its files
    two.index("a")
    assert two.index("c").to_write == 0
    assert two.says(1) == ("cats", ["cats/1.png:0"])
    (two.folder / "c/cats").rename(two.folder / "c/pets")
    two.index("c")
    assert two.says(1) == (["cats", "pets"], ["cats/1.png:0", "pets/1.png:0"])
    assert two.index("a").to_write == 0


def test_a_unit_of_two_other_sources_is_loaded_twice_and_marked_twice(two: Two) -> None:
    """As after --retry-rejects of one of them has found a picture in a row that was none for the other."""
    two.index("a")
    assert two.record
    (unit,) = two.record.units()
    two.record = Record([Entry(unit, np.array([at], np.int32), None, "ac"[at]) for at in (0, 1)])
    (two.folder / "b/best/1.png").unlink()
    two.stored.clear()
    anew = two.index("b", anew=True)
    assert {two.says(shade)[0] for shade in (1, 2)} == {"cats"} and anew.total == 3
    staged = Staged(anew, True, two.hand.parts, two.hand.stagings)
    assert len({load.marker for load in staged.loads(None, False)}) == 3
    assert len(staged.units()) == 2


def test_other_credits_are_joined_too(two: Two) -> None:
    two.index("a", "Ann")
    two.index("b", "Bob")
    credits = {each["_simile"]["credit"] for each in two.stored.values()}
    assert credits == {"Ann", "Bob", "Ann; Bob"}
    assert two.index("a", "Ann").to_write == two.index("b", "Bob").to_write == 0
    two.index("b", "Bea")
    assert {each["_simile"]["credit"] for each in two.stored.values()} == {"Ann", "Bea", "Ann; Bea"}


def test_a_version_built_anew_has_both_places(two: Two) -> None:
    two.index("a")
    two.index("b")
    before = dict(two.stored)
    for source in "ab":
        two.stored.clear()
        anew = two.index(source, anew=True)
        assert two.stored == before and anew.to_write == anew.total == 3


def test_what_is_deleted_stays_away_and_comes_back_with_both_places(two: Two) -> None:
    two.index("a")
    two.index("b")
    (point,) = (each for each, said in two.stored.items() if len(said["_simile"]["places"]) == 2)
    two.stored.clear()
    for source in "ab":
        assert (two.index(source, deleted=[point]).total, two.stored) == (2, {})
    assert two.record
    marks = LiveMarks(np.empty((0, 2), np.uint64), np.empty(0, np.uint64), two.record.entries)
    two.index("a", live=marks)  # the record is not whole after a restoration
    assert two.says(1) == BOTH


def test_without_a_whole_record_points_keep_both_places(two: Two) -> None:
    two.index("a")
    two.index("b")
    assert two.record
    marks = [int(each["_simile"]["mark"], 16) for each in two.stored.values()]
    live = LiveMarks(words_of(two.stored), np.array(marks, np.uint64), two.record.entries)
    for source in "ab":
        again = two.index(source, live=live)
        assert (again.to_write, again.total, len(again.lost)) == (0, 3, 0)


def test_rows_whose_source_is_not_known_are_replaced(two: Two) -> None:
    """As records say of before: nobody can tell whether they are old rows of the same source."""
    two.index("a")
    assert two.record
    two.record = Record([replace(two.record.entries[0], rows=np.array([0, 1], np.int32), source=None)])
    two.index("b")
    assert two.says(1) == ("best", ["best/1.png:0"])
    two.index("a")
    assert two.says(1) == BOTH


def test_the_key_of_a_build_changes_with_what_its_points_join(two: Two) -> None:
    """Markers of an interrupted load would else stand for what another unit said then."""
    (two.folder / "b/best/3.png").unlink()  # no point is made of a row of the unit that is left
    keys = []
    for name in ("best", "worst"):
        (two.folder / "b/best").rename(two.folder / "b" / name)
        two.index("b")
        joined = two.index("a", anew=True)
        keys.append(Staged(joined, True, two.hand.parts, two.hand.stagings).key("", in_base=False))
    assert keys[0] != keys[1]


class _Attachments(dict):
    def attach(self, version: str, name: str, data: bytes) -> None:
        self[name] = data

    def attachment(self, version: str, name: str) -> bytes | None:
        return self.get(name)


def test_records_say_of_which_source_a_unit_is_and_earlier_ones_say_it_of_their_own_units() -> None:
    store: Any = _Attachments()
    entries = [Entry("u", None, "me", "a"), Entry("v", np.array([1], np.int32), None, "b")]
    write_record(store, "v", Record(entries, ["a", 1]))
    found = read_record(store, "v")
    assert found and ([each.source for each in found.entries], found.whole) == (["a", "b"], True)
    table = pq.read_table(pa.BufferReader(store["units.parquet"]))
    about = json.loads(table.schema.metadata[b"simile.job"])
    about.pop("whole")
    earlier = table.drop_columns("source").replace_schema_metadata({b"simile.job": json.dumps(about)})
    sink = pa.BufferOutputStream()
    pq.write_table(earlier, sink)
    store["units.parquet"] = sink.getvalue().to_pybytes()
    found = read_record(store, "v")
    assert found and ([each.source for each in found.entries], found.whole) == (["a", None], True)
