"""Points that other jobs brought are carried over, and removed only when asked."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import open_collection
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.indexing.carried import leaving, to_remove
from pipeline.indexing.live import Live
from pipeline.indexing.preflight import IndexJob
from pipeline.store import open_store
from pipeline.store.read_points import all_points
from pipeline.store.versions import find_live
from tests.indexing.conftest import ENCODER, Copied, Index, colours, picture, write_pictures
from tests.indexing.test_older_rules import plan_of


def test_sync_removes_nothing_while_rows_cannot_be_read() -> None:
    config = CollectionConfig(collection="c", source="s", encoders=[EncoderConfig(name="e")])
    with pytest.raises(SimileError, match=r"3 rows of s could not be read.*nothing was removed"):
        to_remove(IndexJob(config, "/h", sync=True), {"a"}, unreadable=3)
    assert to_remove(IndexJob(config, "/h"), {"a"}, unreadable=0) == set()


def test_add_keeps_the_other_source_and_refuses_other_vectors(
    index: Index, copied: Copied, tmp_path: Path
) -> None:
    home, _ = copied
    other = write_pictures(tmp_path / "other", each=9)  # eight of each colour are the same pictures
    shutil.rmtree(other / "red")
    with pytest.raises(SimileError, match=r"holds vectors of weights:cifar10-cnn \(\w+\) and this job"):
        index(home, other, add=True, encoders=[EncoderConfig(name="weights:cifar10-vit", vector="cnn")])
    added = index(home, other, add=True)
    assert (added.written, added.skipped, added.embedded, added.kept) == (2, 16, 2, 8)
    assert colours(home) == {"red": 8, "green": 9, "blue": 9}
    rebuilt = index(home, other)  # without --add, the collection becomes what the other source has
    assert (rebuilt.written, rebuilt.embedded, rebuilt.removed) == (18, 0, 8)
    assert colours(home) == {"green": 9, "blue": 9}


def test_more_than_half_of_a_collection_leaves_only_when_asked(indexed: Copied, capsys: Any) -> None:
    home, _ = indexed
    config = CollectionConfig(collection="colours", source="/other", encoders=[EncoderConfig(name=ENCODER)])
    store = open_store(str(home))
    there = sorted(str(point.id) for point in all_points(store, store.aliases()["colours"], fields=[]))
    live = Live(find_live(store, "colours"), same_source=False, same_settings=True)
    job = IndexJob(config, str(home))
    half, few = (plan_of(*[(point, 1) for point in there[:count]]) for count in (12, 11))
    assert leaving(job, store, live, half) == set(there[12:])
    assert (
        "12 of the 24 pictures of 'colours' are not in /other and leave, such as" in capsys.readouterr().err
    )
    with pytest.raises(
        SimileError, match=r"13 of the 24 .* such as \w+/\d.png:0, .*say --replace.*or say --add"
    ):
        leaving(job, store, live, few)
    assert leaving(replace(job, replace=True), store, live, few) == set(there[11:])
    same = replace(live, same_source=True)
    assert leaving(job, store, same, few) == set()
    with pytest.raises(SimileError, match="say --replace if that is meant, or leave out --sync"):
        leaving(replace(job, sync=True), store, same, few)


@pytest.mark.long
def test_another_source_stops_before_anything_is_embedded(
    index: Index, copied: Copied, tmp_path: Path
) -> None:
    home, _ = copied
    (tmp_path / "other").mkdir()
    picture((90, 90, 90), 1).save(tmp_path / "other" / "grey.png")
    with pytest.raises(SimileError, match=r"24 of the 24 pictures of 'colours' are not in"):
        index(home, tmp_path / "other")
    assert colours(home) == {"red": 8, "green": 8, "blue": 8}
    account = index(home, tmp_path / "other", replace=True)
    assert (account.written, account.removed) == (1, 24)


def stored(home: Path) -> list[Any]:
    collection = open_collection("colours", home=str(home))
    return collection.get_many(list(collection.ids()))


@pytest.mark.long
def test_another_build_takes_over_what_other_jobs_brought(
    index: Index, copied: Copied, tmp_path: Path
) -> None:
    home, source = copied
    shutil.rmtree(source / "blue")  # gone from the source, and kept
    other = write_pictures(tmp_path / "other", each=9)
    index(home, other, add=True)
    assert colours(home) == {"red": 9, "green": 9, "blue": 9}
    before = {hit.id: hit.payload for hit in stored(home)}
    other_bits = {"dimension": 8}
    rebuilt = index(home, source, projection=other_bits)
    assert (rebuilt.source, rebuilt.written, rebuilt.kept, rebuilt.embedded) == (16, 16, 11, 0)
    assert {hit.id: hit.payload for hit in stored(home)} == before
    assert open_collection("colours", home=str(home)).manifest.added
    again = index(home, source, projection=other_bits)
    assert (again.written, again.kept) == (0, 11)
    refitted = index(home, other, projection=other_bits, add=True, refit=True)
    assert (refitted.written, refitted.kept, refitted.embedded) == (27, 0, 0)
    assert {hit.id for hit in stored(home)} == set(before)
    two = [EncoderConfig(name=ENCODER, vector="cnn"), EncoderConfig(name="weights:cifar10-vit", vector="vit")]
    with pytest.raises(SimileError, match=r"11 pictures beside .* 11 have no vectors of 'weights:cif"):
        index(home, source, projection=other_bits, encoders=two)
    assert {hit.id for hit in stored(home)} == set(before)
    without = index(home, source, projection=other_bits, encoders=two, sync=True)
    assert (without.written, without.kept, without.removed) == (16, 0, 11)
    assert colours(home) == {"red": 8, "green": 8}
