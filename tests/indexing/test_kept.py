"""Points that other jobs brought are carried over, and removed only when asked."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import open_collection
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.indexing.catalogue import Catalogue
from pipeline.indexing.job import _refuse_unsure
from pipeline.indexing.live import Live
from pipeline.indexing.plan import refuse_most_leaving, refuse_small_source
from pipeline.indexing.preflight import Checked, IndexJob
from pipeline.indexing.staged import Staged
from pipeline.sources import Source
from pipeline.staging.parts import Parts
from pipeline.store import open_store
from pipeline.store.read_points import all_points
from pipeline.store.versions import find_live
from tests.indexing.conftest import ENCODER, Copied, Index, colours, picture, write_pictures


def job_of(config: CollectionConfig | None = None, **flags: Any) -> IndexJob:
    config = config or CollectionConfig(collection="c", source="s", encoders=[EncoderConfig(name="e")])
    return replace(IndexJob(config, "/h"), **flags)


def test_sync_removes_nothing_while_rows_cannot_be_read() -> None:
    source = Source("s", "list", "train", None, None, "image", {}, (), 3, None, (), "", unlisted=1)
    gone = np.array([[1, 2]], np.uint64)
    staged = Staged(Catalogue([], range(0), unreadable=2, gone=gone), False, Parts("/h", "c"), {})
    checked = Checked(source, {}, None)  # type: ignore[arg-type]
    with pytest.raises(SimileError, match=r"3 rows of s could not be read.*1 points.*nothing was removed"):
        _refuse_unsure(job_of(sync=True), checked, staged)
    _refuse_unsure(job_of(), checked, staged)


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
    job = job_of(config)
    refuse_most_leaving(job, store, live, there[:12], 24)
    assert (
        "12 of the 24 pictures of 'colours' are not in /other and are removed, such as"
        in capsys.readouterr().err
    )
    with pytest.raises(
        SimileError, match=r"13 of the 24 .* such as \w+/\d.png:0, .*use --replace.*or use --add"
    ):
        refuse_most_leaving(job, store, live, there[:13], 24)
    refuse_most_leaving(replace(job, replace=True), store, live, there, 24)
    same = replace(live, same_source=True)
    with pytest.raises(SimileError, match="use --replace if that is intended, or leave out --sync"):
        refuse_most_leaving(replace(job, sync=True), store, same, there[:13], 24)


def test_a_source_that_is_too_small_for_most_to_stay_is_refused_before_it_is_read(indexed: Copied) -> None:
    live = Live(find_live(open_store(str(indexed[0])), "colours"), same_source=False, same_settings=True)
    with pytest.raises(SimileError, match=r"s has 11 rows, so that at least 13 of the 24 .* use --replace"):
        refuse_small_source(job_of(), live, 11)
    refuse_small_source(job_of(), live, 12)
    refuse_small_source(job_of(replace=True), live, 1)
    same = replace(live, same_source=True)
    refuse_small_source(job_of(), same, 1)
    with pytest.raises(SimileError, match="or leave out --sync"):
        refuse_small_source(job_of(sync=True), same, 1)


@pytest.mark.long
def test_another_source_stops_before_anything_is_embedded(
    index: Index, copied: Copied, tmp_path: Path
) -> None:
    home, _ = copied
    (tmp_path / "other").mkdir()
    picture((90, 90, 90), 1).save(tmp_path / "other" / "grey.png")
    with pytest.raises(SimileError, match=r"has 1 rows, so that at least 23 of the 24 pictures of 'colours'"):
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
