"""What happens to a collection when its source, its labels or its configuration change."""

import io
import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import open_collection
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.indexing.carried import to_remove
from pipeline.indexing.delete import delete_points
from pipeline.indexing.live import Difference, compare
from pipeline.indexing.lock import writer_lock
from pipeline.indexing.preflight import IndexJob
from pipeline.indexing.rollback import rollback
from pipeline.points import point_id
from pipeline.store import open_store
from pipeline.store.versions import finished_versions
from ray_jobs import delete
from ray_jobs.index import main as index_job
from tests.indexing.conftest import COLOURS, ENCODER, Index, picture, write_pictures
from tests.stand_ins.qdrant import QdrantStandIn

Copied = tuple[Path, Path]


def colours(home: Path) -> dict[str, int]:
    return dict(open_collection("colours", home=str(home)).facets("label"))


def change_versions(home: Path, what: str) -> dict[str, Any]:
    """`python -m ray_jobs.index YAML --rollback` or `--prune`: its JSON line."""
    config = home / "colours.yaml"
    config.write_text(f"collection: colours\nsource: x\nencoders: [{{name: '{ENCODER}'}}]\n")
    out = io.StringIO()
    with redirect_stdout(out):
        index_job([str(config), "--home", str(home), what])
    return json.loads(out.getvalue())


def test_compare_tells_new_changed_and_gone_apart() -> None:
    present, wanted = {"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"}
    assert compare(present, wanted) == Difference(new={"d"}, changed={"b"}, gone={"a"})


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
    with pytest.raises(SimileError, match=r"indexed with weights:cifar10-cnn 0ther and here that is \w{6,};"):
        collection.search(picture(COLOURS["red"], 1))


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


def test_sync_removes_nothing_while_rows_cannot_be_read() -> None:
    config = CollectionConfig(collection="c", source="s", encoders=[EncoderConfig(name="e")])
    with pytest.raises(SimileError, match=r"3 rows of s could not be read.*nothing was removed"):
        to_remove(IndexJob(config, "/h", sync=True), {"a"}, unreadable=3)
    assert to_remove(IndexJob(config, "/h"), {"a"}, unreadable=0) == set()


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


def test_back_to_the_version_before_and_no_further(index: Index, copied: Copied) -> None:
    home, source = copied
    store = open_store(str(home))
    first = store.aliases()["colours"]
    second = index(home, source, projection={"dimension": 8}).version
    reader = open_collection("colours", home=str(home))
    assert change_versions(home, "--rollback") == {
        "collection": "colours", "version": first, "was": second, "deleted_and_back": 0,
    }  # fmt: skip
    reader = open_collection("colours", home=str(home))
    assert reader.unfinished is None  # a newer one that is finished is not being built
    assert len(reader.search(picture(COLOURS["red"], 1), k=3)) == 3
    with pytest.raises(SimileError, match="no earlier version"):
        rollback(store, "colours")
    assert change_versions(home, "--prune")["dropped"] == [second]
    assert store.versions("colours") == [first]


def test_a_rollback_says_what_it_brings_back(copied: Copied) -> None:
    store = open_store(str(copied[0]))
    delete_points(store, "colours", filters={"label": ["blue"]})
    assert rollback(store, "colours")["deleted_and_back"] == 8
    assert colours(copied[0])["blue"] == 8


def test_a_failed_build_leaves_the_alias(index: Index, copied: Copied, monkeypatch) -> None:
    home, source = copied
    live = open_store(str(home)).aliases()["colours"]
    monkeypatch.setattr("pipeline.store.edge.EdgeStore.count", lambda *_: 7)
    with pytest.raises(SimileError, match="took a point and does not count it"):
        index(home, source, projection={"dimension": 8})
    monkeypatch.undo()
    monkeypatch.setattr("pipeline.indexing.build.load_rows", lambda *_: (set(), 0))
    with pytest.raises(SimileError, match="does not add up: source 24, written 0"):
        index(home, source, projection={"dimension": 8})
    assert open_store(str(home)).aliases()["colours"] == live


def test_an_interrupted_load_goes_on_where_it_was(index: Index, copied: Copied, monkeypatch) -> None:
    home, source = copied
    from pipeline.store.edge import EdgeStore

    monkeypatch.setattr("pipeline.store.edge._FLUSH_EVERY", 5)
    monkeypatch.setattr("pipeline.indexing.load._BATCH", 5)
    upsert, sent = EdgeStore.upsert, []

    def dies_after_two(store, version, ids, *rest):  # type: ignore[no-untyped-def]
        if "preflight" not in version:
            sent.append(list(ids))
            if len(sent) == 3:
                raise OSError(5, "Input/output error")
        upsert(store, version, ids, *rest)

    monkeypatch.setattr(EdgeStore, "upsert", dies_after_two)
    with pytest.raises(SimileError, match=r"stage load stopped: .*Input/output.*What is staged stays"):
        index(home, source, projection={"dimension": 8})
    unfinished = open_store(str(home)).versions("colours")[-1]
    account = index(home, source, projection={"dimension": 8})
    assert account.version == unfinished
    assert account.rows["load"] == 24 - len(sent[0]) - len(sent[1])
    assert (account.written, account.skipped) == (24, 0)
    assert not set(sent[0] + sent[1]) & {point for batch in sent[3:] for point in batch}


def test_delete_by_id_and_filter_until_restored(index: Index, copied: Copied, capsys) -> None:
    home, source = copied
    store = open_store(str(home))
    import hashlib

    red = point_id("colours", hashlib.sha256((source / "red" / "0.png").read_bytes()).hexdigest())
    assert delete_points(store, "colours", [red])["deleted"] == 1
    delete.main(["colours", "--filter", "label=blue", "--home", str(home)])
    assert json.loads(capsys.readouterr().out)["deleted"] == 8
    assert colours(home) == {"red": 7, "green": 8}
    for nothing, sentence in (
        (["--id", "nobody"], "'nobody' is no id of a point"),
        (["--filter", "label"], "must be FIELD=VALUE"),
        ([], "Name what to delete"),
    ):
        with pytest.raises(SystemExit):
            delete.main(["colours", *nothing, "--home", str(home)])
        assert sentence in capsys.readouterr().err
    with pytest.raises(SimileError, match="Nothing in 'colours' matches"):
        delete_points(store, "colours", [red])
    with pytest.raises(SimileError, match="no filter field artist; there are: label"):
        delete_points(store, "colours", filters={"artist": ["x"]})
    left_out = index(home, source)
    assert (left_out.written, left_out.skipped) == (0, 24)
    assert colours(home) == {"red": 7, "green": 8}
    rebuilt = index(home, source, projection={"dimension": 8})
    assert (rebuilt.written, rebuilt.skipped) == (15, 9)
    assert index(home, source, projection={"dimension": 8}).written == 0  # a rebuild does not forget them
    delete.main(["colours", "--restore", "--home", str(home)])
    assert json.loads(capsys.readouterr().out)["restored"] == 9
    back = index(home, source, projection={"dimension": 8})
    assert (back.written, back.embedded) == (9, 0)
    assert colours(home) == {"red": 8, "green": 8, "blue": 8}


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


def test_a_second_encoder_joins_and_the_first_stays_as_it_was(index: Index, copied: Copied) -> None:
    home, source = copied
    first = open_collection("colours", home=str(home))
    before = first.embed([picture(COLOURS["red"], 1)])
    two = [
        EncoderConfig(name=ENCODER, vector="cnn"),
        EncoderConfig(name="weights:cifar10-vit", vector="vit"),
    ]
    account = index(home, source, encoders=two)
    assert (account.embedded, account.written) == (24, 24)
    assert [actor.rows for actor in account.actors.values()] == [24]
    both = open_collection("colours", home=str(home))
    assert (both.embed([picture(COLOURS["red"], 1)]) == before).all()
    for encoder in both.encoders:
        hits = both.search(source / "red" / "3.png", k=1, encoder=encoder)
        assert hits[0].payload["_simile"]["places"] == ["red/3.png:0"]


@contextmanager
def reading(url: str, query: Path) -> Iterator[list[int]]:
    """Search without a pause while the block runs: how many hits each time, the picture itself first."""
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
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


def test_a_server_takes_additions_in_place(index: Index, indexed: Copied, tmp_path: Path) -> None:
    _, source = indexed
    extra = source / "red" / "new.png"
    with QdrantStandIn() as server:
        first = index(tmp_path, source, url=server.url)
        with reading(server.url, source / "red" / "3.png") as seen:
            try:
                picture(COLOURS["red"], 99).save(extra)
                more = index(tmp_path, source, url=server.url)
            finally:
                extra.unlink()
            gone = index(tmp_path, source, url=server.url, sync=True)
        # No search failed, and none saw more or less than the pictures before or after.
        assert set(seen) == {24, 25}
        assert (more.version, more.written, more.embedded) == (first.version, 1, 1)
        assert (gone.version, gone.removed, gone.written) == (first.version, 1, 0)
        assert open_collection("colours", url=server.url).count == 24
        # What a job leaves that ends between its writes and the manifest is put right by the next one.
        store = open_store(url=server.url)
        manifest = store.read_manifest(first.version)
        store.write_manifest(first.version, manifest.model_copy(update={"rows": 23}))
        assert index(tmp_path, source, url=server.url).written == 0
        assert store.read_manifest(first.version).rows == 24
        assert delete_points(store, "colours", filters={"label": ["red"]})["rows"] == 16


def test_rejects_are_listed_and_tried_again_only_when_asked(index: Index, copied: Copied, capsys) -> None:
    home, source = copied
    (source / "blue" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n not really")
    shutil.copy(source / "blue" / "broken.png", source / "red" / "broken.png")  # a repeat, rejected as well
    lenient = {"max_reject_fraction": 0.1}
    first = index(home, source, **lenient)
    assert (first.rejected, first.skipped, len(first.actors)) == (2, 24, 1)
    again = index(home, source, **lenient)
    assert (again.rejected, again.actors) == (2, {})
    retried = index(home, source, retry_rejects=True, **lenient)
    assert retried.rejected == 2
    assert [actor.rows for actor in retried.actors.values()] == [1]  # this row and no other
    from ray_jobs.rejects import main

    main(["colours", "--home", str(home), "--json"])
    row, other = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["place"], row["stage"]) == ("blue/broken.png:0", "decode")
    assert (other["id"], other["place"]) == (row["id"], "red/broken.png:0")
    assert bytes.fromhex(row["first_bytes"]).startswith(b"\x89PNG")
    assert row["reason"]


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


def stored(home: Path) -> list[Any]:
    collection = open_collection("colours", home=str(home))
    return collection.get_many(list(collection.ids()))


def test_a_row_that_one_encoder_cannot_take_is_written_for_none(index: Index, copied: Copied) -> None:
    home, source = copied
    from pipeline.encoders import describe_encoder
    from pipeline.staging.parts import Staging
    from pipeline.staging.rejects import Reject

    description = describe_encoder(ENCODER)
    staging = Staging(str(home), "colours", description.fingerprint)
    point = sorted(staging.ids())[0]
    staging.write_rejects("made-by-hand", [Reject(point, "embed", "gives NaN or infinity")])
    account = index(home, source, projection={"dimension": 8})
    assert (account.source, account.written, account.rejected) == (24, 23, 1)
    assert open_collection("colours", home=str(home)).count == 23


def test_a_store_that_goes_away_keeps_what_is_staged(
    index: Index, indexed: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMILE_STORE_PATIENCE", "1")
    _, source = indexed
    with QdrantStandIn() as server:
        server.fault = lambda method, path: "drop" if "points" in path and "preflight" not in path else None
        with pytest.raises(SimileError, match=r"did not answer for 1 s; try again"):
            index(tmp_path, source, url=server.url)
        server.fault = lambda method, path: None
        account = index(tmp_path, source, url=server.url)
        assert (account.embedded, account.written) == (0, 24)


def test_one_writer_at_a_time(index: Index, copied: Copied) -> None:
    home, source = copied
    with (
        writer_lock(str(home), "colours"),
        pytest.raises(SimileError, match=r"Another job is writing 'colours'"),
    ):
        index(home, source)
    assert index(home, source).skipped == 24  # the lock went with its holder
