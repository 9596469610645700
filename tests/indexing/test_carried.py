"""Points that other jobs brought are carried over, and removed only when asked."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline import open_collection
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.indexing.carried import to_remove
from pipeline.indexing.preflight import IndexJob
from tests.indexing.conftest import ENCODER, Copied, Index, colours, write_pictures


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
    assert (rebuilt.written, rebuilt.embedded) == (18, 0)
    assert colours(home) == {"green": 9, "blue": 9}


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
