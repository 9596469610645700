"""What happens to a collection when its source, its labels or its configuration change."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import open_collection
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.editing.delete import delete_points
from pipeline.errors import SimileError
from pipeline.images import PREPARATION
from pipeline.indexing.preflight import IndexJob, preflight
from pipeline.search import query_embedding
from pipeline.store import open_store
from pipeline.store.read_points import all_points
from pipeline.store.versions import finished_versions
from tests.indexing.conftest import COLOURS, ENCODER, Copied, Index, colours, picture
from tests.stand_ins.qdrant import QdrantStandIn


@pytest.mark.long
def test_another_source_need_not_have_the_columns_that_the_yaml_names(
    index: Index, indexed: Copied, tmp_path: Path
) -> None:
    """`--source FOLDER` with a YAML made for another dataset."""
    with pytest.raises(SimileError, match="no image column 'img'"):
        index(tmp_path, indexed[1], image="img", filters=["artist"])
    account = index(tmp_path, indexed[1], image="img", filters=["artist"], other_source=True)
    assert account.written == 24
    assert colours(tmp_path) == {"red": 8, "green": 8, "blue": 8}


def test_a_query_with_other_weights_is_refused_naming_both(copied: Copied) -> None:
    collection = open_collection("colours", home=str(copied[0]))
    _, version = collection.live
    other = version.manifest.encoder().model_copy(update={"fingerprint": "0ther"})
    collection._current = replace(
        version, manifest=version.manifest.model_copy(update={"encoders": (other,)})
    )
    with pytest.raises(
        SimileError, match=r"indexed with weights:cifar10-cnn 0ther, but the fingerprint here is \w{6,};"
    ):
        collection.search(picture(COLOURS["red"], 1))


@pytest.fixture
def newer_preparation(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As after an upgrade to a version of Simile that prepares pictures in another way."""
    monkeypatch.setattr("pipeline.encoders.description.PREPARATION", PREPARATION + 1)
    query_embedding._vectors.clear()
    yield
    query_embedding._vectors.clear()


@pytest.mark.usefixtures("newer_preparation")
def test_what_an_older_version_prepared_is_searched_by_id_and_not_by_new_pictures(indexed: Copied) -> None:
    home, source = indexed
    collection = open_collection("colours", home=str(home))
    first = next(iter(all_points(collection.live[0], collection.version, fields=[]))).id
    assert len(collection.search_id(str(first), k=3)[0]) == 3
    with pytest.raises(SimileError, match=r"indexed by an older version of Simile.*; index it again\."):
        collection.search(picture(COLOURS["red"], 1))
    config = CollectionConfig(
        collection="colours", source=str(source), encoders=[EncoderConfig(name=ENCODER)]
    )
    with pytest.raises(SimileError, match=r"older version of Simile.*nothing can be added.*without --add"):
        preflight(IndexJob(config, str(home), add=True))


@pytest.mark.long
@pytest.mark.usefixtures("newer_preparation")
def test_vectors_that_an_older_version_staged_are_not_taken_over(
    index: Index, copied: Copied, capsys: pytest.CaptureFixture[str]
) -> None:
    account = index(*copied)
    assert (account.embedded, account.written) == (24, 24)
    assert "older version of Simile, which prepared pictures in another way: every" in capsys.readouterr().err
    assert open_collection("colours", home=str(copied[0])).search(picture(COLOURS["red"], 1), k=1)


def test_what_readers_are_told_follows_the_configuration(index: Index, copied: Copied) -> None:
    home, source = copied
    told = {"search": {"oversampling": 8.0}, "title": "Hues"}
    account = index(home, source, **told)
    assert (account.embedded, account.written, account.skipped) == (0, 0, 24)
    found = open_collection("colours", home=str(home))
    assert (found.manifest.search.oversampling, found.title, found.count) == (8, "Hues", 24)
    assert index(home, source, **told).version == account.version


def test_the_same_again_does_nothing(index: Index, copied: Copied) -> None:
    home, source = copied
    again = index(home, source)
    assert (again.written, again.skipped, again.embedded, again.actors) == (0, 24, 0, {})
    assert len(finished_versions(open_store(str(home)), "colours")) == 1


def test_a_new_label_is_written_without_embedding(index: Index, copied: Copied) -> None:
    home, source = copied
    (source / "red" / "1.png").rename(source / "green" / "was-red.png")
    account = index(home, source)
    assert (account.embedded, account.written, account.skipped) == (0, 1, 23)
    assert colours(home) == {"red": 7, "green": 9, "blue": 8}


def test_rows_gone_from_the_source_stay_until_sync(index: Index, copied: Copied) -> None:
    home, source = copied
    reader = open_collection("colours", home=str(home))
    (source / "blue" / "0.png").unlink()
    picture(COLOURS["red"], 99).save(source / "red" / "new.png")
    added = index(home, source)
    assert (added.written, added.embedded, added.kept, added.removed) == (1, 1, 1, 0)
    assert colours(home) == {"red": 9, "green": 8, "blue": 8}
    synced = index(home, source, sync=True)
    assert (synced.written, synced.embedded, synced.kept, synced.removed) == (0, 0, 0, 1)
    assert colours(home) == {"red": 9, "green": 8, "blue": 7}
    assert reader.count == 24  # the page that was open all along follows


def test_sync_does_not_go_with_limit_or_add(index: Index, copied: Copied) -> None:
    for other in ({"limit": 3}, {"add": True}):
        with pytest.raises(SimileError, match="use one of them"):
            index(*copied, sync=True, **other)


def test_another_quantization_or_projection_loads_no_network(index: Index, copied: Copied) -> None:
    home, source = copied
    before = open_store(str(home)).aliases()["colours"]
    plain = index(home, source, quantization={"kind": "none"})
    narrow = index(home, source, projection={"dimension": 8})
    for account in (plain, narrow):
        assert (account.embedded, account.actors, account.written) == (0, {}, 24)
    assert len({before, plain.version, narrow.version}) == 3


@contextmanager
def reading(url: str, query: Path) -> Iterator[list[int]]:
    """Search all the while that the block runs: how many hits each time, the picture itself first."""
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.wait(0.05):
            hits = open_collection("colours", url=url).search(query, k=100, exact=True)
            assert hits[0].payload["_simile"]["places"] == ["red/3.png:0"]
            seen.append(len(hits))

    with ThreadPoolExecutor(1) as reader:
        reads = reader.submit(read)
        try:
            yield seen
        finally:
            done.set()
            reads.result(30)


@pytest.mark.long
def test_a_server_takes_additions_in_place(index: Index, copied: Copied) -> None:
    home, source = copied
    extra = source / "red" / "new.png"
    with QdrantStandIn() as server:
        first = index(home, source, url=server.url)
        with reading(server.url, source / "red" / "3.png") as seen:
            picture(COLOURS["red"], 99).save(extra)
            more = index(home, source, url=server.url)
            extra.unlink()
            gone = index(home, source, url=server.url, sync=True)
        # No search failed, and none saw more or less than the pictures before or after.
        assert set(seen) == {24, 25}
        assert (more.version, more.written, more.embedded) == (first.version, 1, 1)
        assert (gone.version, gone.removed, gone.written) == (first.version, 1, 0)
        assert open_collection("colours", url=server.url).count == 24
        # What a job leaves that ends between its writes and the manifest is put right by the next one.
        store = open_store(url=server.url)
        manifest = store.read_manifest(first.version)
        store.write_manifest(first.version, manifest.model_copy(update={"rows": 23}))
        assert index(home, source, url=server.url).written == 0
        assert store.read_manifest(first.version).rows == 24
        assert delete_points(store, "colours", filters={"label": ["red"]})["rows"] == 16
