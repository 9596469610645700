"""Which rows become points, and which have to be written, when a source changes: units staged by hand."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.index_quality.recall import Queries
from pipeline.indexing.adopt import adopt, refuse_missing
from pipeline.indexing.catalogue import LiveMarks, rows_in
from pipeline.indexing.check import exact_neighbours, staged_vectors
from pipeline.indexing.unit_points import Target
from pipeline.staging.ids import id_texts, id_words, words_of
from pipeline.store.unit_record import Record
from tests.indexing.units_by_hand import ByHand, points, projection, said
from tests.sources.conftest import png, put, write_mirror


@pytest.fixture
def hand(tmp_path: Path) -> ByHand:
    return ByHand(tmp_path / "home")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three pictures of two labels; the first one stands under both."""
    folder = tmp_path / "pictures"
    for label, shade in (("cats", 1), ("cats", 2), ("best", 1), ("best", 3)):
        put(folder / label / f"{shade}.png", png(shade))
    return folder


def test_a_picture_in_two_folders_is_one_point_found_under_both(hand: ByHand, root: Path) -> None:
    _, units = hand.stage(root)
    catalogue = hand.catalogue(units)
    assert said(catalogue) == (4, 0, 3, 0, 1, 0)
    assert len(hand.embedded) == len(set(hand.embedded)) == 3
    found = points(hand, catalogue)
    (both,) = [each for each in found.values() if len(each["_simile"]["places"]) > 1]
    assert (both["label"], both["_simile"]["places"]) == (["best", "cats"], ["best/1.png:0", "cats/1.png:0"])
    assert both["_simile"]["thumbnail"]


def test_nothing_is_written_where_nothing_changed(hand: ByHand, root: Path) -> None:
    _, units = hand.stage(root)
    live = Record(hand.catalogue(units).record_entries())
    again = hand.catalogue(units, live)
    assert (said(again), again.to_write, again.live) == ((4, 0, 0, 3, 1, 0), 0, 3)


def test_another_credit_writes_all_and_embeds_nothing(hand: ByHand, root: Path) -> None:
    _, units = hand.stage(root)
    live = Record(hand.catalogue(units).record_entries())
    count = len(hand.embedded)
    _, units = hand.stage(root, credit="me")
    catalogue = hand.catalogue(units, live, credit="me")
    assert (said(catalogue)[2], len(hand.embedded)) == (3, count)
    assert {each["_simile"]["credit"] for each in points(hand, catalogue).values()} == {"me"}


def test_a_moved_file_is_written_and_not_embedded(hand: ByHand, root: Path) -> None:
    _, units = hand.stage(root)
    live = Record(hand.catalogue(units).record_entries())
    (root / "cats/2.png").rename(root / "best/2.png")
    count = len(hand.embedded)
    _, units = hand.stage(root)
    catalogue = hand.catalogue(units, live)
    assert (said(catalogue), len(hand.embedded)) == ((4, 0, 1, 2, 1, 0), count)
    (moved,) = points(hand, catalogue).values()
    assert (moved["label"], moved["_simile"]["places"]) == ("best", ["best/2.png:0"])


def test_the_same_pictures_in_other_shards_are_not_embedded_again(hand: ByHand, tmp_path: Path) -> None:
    root = write_mirror(tmp_path / "m", [4, 4, 1])
    _, units = hand.stage(root)
    live = Record(hand.catalogue(units).record_entries())
    shutil.rmtree(root)
    write_mirror(root, [3, 6])
    _, units = hand.stage(root)
    assert (len(hand.embedded), len(hand.read)) == (9, 5)
    assert said(hand.catalogue(units, live)) == (9, 0, 9, 0, 0, 0)  # their places are others


def test_what_is_gone_stays_until_it_is_asked_to_leave(hand: ByHand, root: Path) -> None:
    _, units = hand.stage(root)
    live = Record(hand.catalogue(units).record_entries())
    (root / "best/3.png").unlink()
    _, units = hand.stage(root)
    kept = hand.catalogue(units, live)
    assert (said(kept), kept.total, len(kept.lost)) == ((3, 0, 0, 2, 1, 1), 3, 0)
    record = Record(kept.record_entries())
    assert [entry.rows is None for entry in record.entries] == [True, False]
    again = hand.catalogue(units, record)
    assert (said(again), again.total, again.to_write) == ((3, 0, 0, 2, 1, 1), 3, 0)
    synced = hand.catalogue(units, record, keeps=False)
    assert (synced.total, len(synced.gone)) == (2, 1)
    put(root / "best/3.png", png(3))  # back again, in a unit that is not the old one
    _, units = hand.stage(root)
    back = hand.catalogue(units, record)
    assert (said(back), back.total) == ((4, 0, 0, 3, 1, 0), 3)
    assert [entry.rows for entry in back.record_entries()] == [None]


def test_one_of_two_places_goes_and_then_the_other(hand: ByHand, root: Path) -> None:
    _, units = hand.stage(root)
    live = Record(hand.catalogue(units).record_entries())
    (root / "cats/1.png").unlink()
    _, units = hand.stage(root)
    one = hand.catalogue(units, live)
    (left,) = points(hand, one).values()
    assert (left["label"], left["_simile"]["places"]) == ("best", ["best/1.png:0"])
    live = Record(one.record_entries())
    (root / "best/1.png").unlink()
    _, units = hand.stage(root)
    none = hand.catalogue(units, live)
    assert (said(none), none.total) == ((2, 0, 0, 2, 0, 1), 3)
    anew = hand.catalogue(units, Record(none.record_entries()))
    assert (anew.total, anew.to_write) == (3, 0)


def test_a_version_without_a_record_is_compared_by_the_marks_of_its_points(hand: ByHand, root: Path) -> None:
    _, units = hand.stage(root)
    found = points(hand, hand.catalogue(units))
    ids = [*found, "00000000-0000-0000-0000-00000000000a"]
    marks = [*(int(each["_simile"]["mark"], 16) for each in found.values()), 7]
    catalogue = hand.catalogue(units, LiveMarks(words_of(ids), np.array(marks, np.uint64)))
    assert (said(catalogue), id_texts(catalogue.lost)) == ((4, 0, 0, 3, 1, 1), ids[-1:])
    marks[0] += 1
    changed = hand.catalogue(units, LiveMarks(words_of(ids), np.array(marks, np.uint64)))
    assert list(points(hand, changed)) == ids[:1]


def test_what_was_deleted_on_purpose_stays_away(hand: ByHand, root: Path) -> None:
    _, units = hand.stage(root)
    every = sorted(points(hand, hand.catalogue(units)))
    live = Record(hand.catalogue(units).record_entries())
    without = hand.catalogue(units, live, deleted=every[:1])
    assert (without.total, without.live, without.deleted) in ((2, 2, 1), (2, 2, 2))
    assert without.source == without.unchanged + without.repeated + without.deleted


def test_rejects_have_places_and_are_tried_again_only_when_asked(hand: ByHand, root: Path) -> None:
    hand.bad = {b"broken"}
    for place in ("best/broken.png", "cats/broken.png"):
        put(root / place, b"broken")
    _, units = hand.stage(root)
    catalogue = hand.catalogue(units)
    assert said(catalogue) == (6, 2, 3, 0, 1, 0)
    assert catalogue.rejects.groups["decode: cut short"].count == 2
    assert [reject.place for reject in catalogue.rejects.first] == ["best/broken.png:0", "cats/broken.png:0"]
    tried = len(hand.embedded)
    put(root / "cats/4.png", png(4))
    hand.stage(root)  # another unit, whose broken picture is known
    assert len(hand.embedded) == tried + 1
    hand.stage(root, again=True)
    assert len(hand.embedded) == tried + 2


def test_a_point_whose_picture_is_rejected_now_stays_until_a_version_is_built_anew(
    hand: ByHand, root: Path
) -> None:
    put(root / "best/broken.png", b"broken")
    _, units = hand.stage(root)
    ids = list(points(hand, hand.catalogue(units)))
    marks = LiveMarks(words_of(ids), np.zeros(len(ids), np.uint64))
    hand.bad = {b"broken"}
    shutil.rmtree(hand.home)
    _, units = hand.stage(root)
    stays, anew = hand.catalogue(units, marks), hand.catalogue(units, marks, anew=True)
    assert (stays.rejected, len(stays.gone)) == (1, 1)
    assert (anew.rejected, len(anew.gone), anew.total) == (1, 0, 3)


def test_points_that_no_record_names_are_found_in_other_staged_units(hand: ByHand, root: Path) -> None:
    _, units = hand.stage(root)
    before = points(hand, hand.catalogue(units))
    marks = LiveMarks(words_of(before), np.zeros(len(before), np.uint64))
    shutil.rmtree(root / "best")  # 1.png stands elsewhere, 3.png nowhere any more
    _, left = hand.stage(root)
    lost = hand.catalogue(left, marks, anew=True)
    assert len(lost.lost) == len(lost.gone) == 1
    with pytest.raises(SimileError, match=r"holds 1 pictures beside .* and 1 have no vectors of 'e'.*--sync"):
        refuse_missing("things", lost, hand.stagings)
    known = {entry.unit for entry in lost.entries}
    adopted = adopt(lost.lost, known, hand.parts, hand.stagings)
    whole = hand.catalogue(left, marks, anew=True, adopted=adopted)
    refuse_missing("things", whole, hand.stagings)
    assert points(hand, whole).keys() == before.keys() and len(whole.lost) == 0
    gone = id_texts(lost.lost)[0]
    assert points(hand, whole)[gone] == before[gone]


def test_the_sample_is_the_vectors_with_the_smallest_ids(hand: ByHand, tmp_path: Path) -> None:
    write_mirror(tmp_path / "m", [150, 150])
    _, units = hand.stage(tmp_path / "m")
    staging = hand.stagings["e"]
    each = [staging.read(unit.name) for unit in units]
    words, vectors = (np.concatenate([getattr(e, name) for e in each]) for name in ("words", "vectors"))
    order = np.lexsort((words[:, 1], words[:, 0]))
    for size in (10, 140, 10_000):
        assert np.array_equal(staging.sample(size), vectors[order][:size].astype(np.float32))


def test_the_truth_has_each_point_once_as_the_store_has_it(hand: ByHand, root: Path) -> None:
    _, units = hand.stage(root)
    catalogue = hand.catalogue(units)
    target = Target(hand.stagings["e"], "v", "v_code", projection())
    chosen = [(catalogue.entries[at].unit, catalogue.points[at]) for at in catalogue.points]
    each = [staged_vectors(target, name, rows_in(bits), hand.parts) for name, bits in chosen]
    words = np.concatenate([words for words, _ in each])
    vectors, codes = (np.concatenate([named[name] for _, named in each]) for name in ("v", "v_code"))
    assert sorted(id_texts(words)) == sorted(points(hand, catalogue))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert set(np.unique(codes)) <= {-1.0, 1.0}
    queries = [Queries("v", vectors, id_texts(words)), Queries("v_code", codes[:1], id_texts(words[:1]))]
    told = {"target": target, "units": chosen, "parts": hand.parts, "everywhere": False}
    near, differing = exact_neighbours(queries, **told)
    assert near[0] == pytest.approx(dict(zip(id_texts(words[1:]), vectors[1:] @ vectors[0], strict=True)))
    assert (len(near), len(differing)) == (len(words), 1) and differing[0].keys() == near[0].keys()


def test_the_id_is_that_of_the_bytes_that_were_embedded(hand: ByHand, root: Path) -> None:
    source, (unit,) = hand.stage(root)
    part = hand.parts.read(unit.name)
    assert [d.hex() for d in part["digest"].to_pylist()] == [_sha(root / f) for f in part["file"].to_pylist()]
    assert len(id_words(part["id"])) == 4 and source.rows == 4


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.long
def test_ids_that_are_shuffled_by_ray_are_decided_on_in_the_same_way(
    hand: ByHand, root: Path, ray_here: None
) -> None:
    hand.bad = {b"broken"}
    put(root / "best/broken.png", b"broken")
    _, units = hand.stage(root)
    live = Record(hand.catalogue(units).record_entries())
    (root / "cats/1.png").unlink()
    put(root / "cats/9.png", png(9))
    _, units = hand.stage(root)
    marks = LiveMarks(np.array([[2**63, 5]], np.uint64), np.array([1], np.uint64))
    for state in (live, marks):
        here, there = hand.catalogue(units, state), hand.catalogue(units, state, rows_here=1, rows=3)
        assert said(here) == said(there)
        assert (here.total, here.live, here.repeats) == (there.total, there.live, there.repeats)
        assert sorted(map(tuple, here.gone)) == sorted(map(tuple, there.gone))
        for name in ("points", "writes", "survivors"):
            bits, others = getattr(here, name), getattr(there, name)
            assert {at: here.rows(bits, at).tolist() for at in bits} == {
                at: there.rows(others, at).tolist() for at in others
            }
        assert here.rejects.groups == there.rejects.groups
