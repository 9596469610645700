"""What is saved from one store and restored into another one is found as before, or not restored at all."""

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from qdrant_client import models

from pipeline.backup import restore_collection, save_collection
from pipeline.config import CollectionConfig, EncoderConfig, HnswConfig, QuantizationConfig
from pipeline.errors import SimileError
from pipeline.map.map_file import MAP
from pipeline.projection import Projection
from pipeline.report import REPORT
from pipeline.search import Collection
from pipeline.store import Manifest, Store, open_store
from pipeline.store.manifest import EncoderEntry
from pipeline.store.protocol import vector_params
from pipeline.store.read_points import all_points
from ray_jobs import backup
from tests.stand_ins.qdrant import QdrantStandIn

N, D = 23, 32
IDS = [str(uuid.uuid5(uuid.NAMESPACE_URL, str(i))) for i in range(N)]
CONFIG = CollectionConfig(
    collection="things",
    source="x",
    encoders=[EncoderConfig(name="e:v", vector="v")],
    quantization=QuantizationConfig(kind="turbo"),
    hnsw=HnswConfig(m=8),
)
INDEXES = {"artist": models.PayloadSchemaType.KEYWORD, "year": models.PayloadSchemaType.INTEGER}
ATTACHMENTS = {MAP: b"\x00\xff map", REPORT: b"<p>report", "build.json": b"of the job that built it"}
KINDS = ("embedded", "server")


def payload(i: int) -> dict[str, Any]:
    """All that JSON can hold."""
    strange = {"float": 1.0, "tiny": 5e-324, "large": 2**60 + i, "none": None, "yes": True, "é\n": "\0😀"}
    own = {"places": [f"a:{i}"], "thumbnail": "AAAA", "strange": strange, "list": [None, 1, [{}]]}
    return {"artist": f"artist {i % 3}", "year": 1900 + i % 2, "_simile": own}


def fill(store: Store, version: str = "things__1", points: int = N) -> Store:
    vectors = np.random.default_rng(1).normal(size=(N, D)).astype(np.float32)[:points]
    codes = Projection.codes(vectors)
    store.create(version, CONFIG, vector_params(CONFIG, {"v": D}, {"v_code": D}, points), INDEXES)
    if points:
        payloads = [payload(i) for i in range(points)]
        store.upsert(version, IDS[:points], {"v": vectors, "v_code": codes}, payloads)
    store.finish(version)
    for name, data in ATTACHMENTS.items():
        store.attach(version, name, data)
    manifest = Manifest(
        collection="things",
        title="Things",
        filters=tuple(INDEXES),
        encoders=(EncoderEntry(name="e:v", vector="v", code="v_code"),),
        source_key="the source",
        quantization=CONFIG.quantization,
        hnsw=CONFIG.hnsw,
        rows=points,
        tensors={"v.matrix": np.eye(D, dtype=np.float32), "v.offset": np.zeros(D, np.float32)},
    )
    store.write_manifest(version, manifest)
    store.switch("things", version)
    return store


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[dict[str, Store]]:
    """A filled store and an empty one of each kind."""
    with ExitStack() as open_:
        made: dict[str, Store] = {}
        for name in ("filled", "empty"):
            made[f"{name} embedded"] = open_store(home=str(tmp_path / name))
            made[f"{name} server"] = open_store(url=open_.enter_context(QdrantStandIn()).url)
        yield made


@pytest.fixture
def embedded(tmp_path: Path) -> Store:
    return fill(open_store(home=str(tmp_path / "home")))


def points(store: Store, version: str) -> list[models.Record]:
    return list(all_points(store, version, with_vectors=["v", "v_code"]))


class Score(float):
    """Equal to scores that rounding alone tells apart."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and abs(self - other) < 1e-6

    __hash__ = float.__hash__


def answers(store: Store, name: str) -> dict[str, Any]:
    """What a reader of the collection sees of it."""
    collection = Collection(name, store)
    hits = {
        f"{metric} {filters} {exact}": {  # all that match, in any order: codes may be equally far
            hit.id: (Score(hit.score), hit.payload)
            for hit in collection.search_id(IDS[3], metric, N, filters, exact)[0]
        }
        for metric in ("cosine", "hamming")
        for filters in (None, {"artist": ["artist 1", "artist 2"]}, {"year": [1901], "artist": "artist 0"})
        for exact in (True, False)
    }
    facets = {field: sorted(collection.facets(field)) for field in INDEXES}
    kept = {attached: collection.attachment(attached) for attached in (MAP, REPORT)}
    return hits | facets | kept | {"title": collection.title, "count": collection.count}


@pytest.mark.parametrize("there", KINDS)
@pytest.mark.parametrize("here", KINDS)
def test_what_is_restored_answers_as_before(
    here: str, there: str, stores: dict[str, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.backup.save.PAGE", 4)
    monkeypatch.setattr("pipeline.backup.save._PAGES_A_FILE", 2)  # three files
    first, second = fill(stores[f"filled {here}"]), stores[f"empty {there}"]
    archive = str(tmp_path / "archive")
    saved = save_collection(first, "things", archive)
    restored = restore_collection(second, archive)
    assert len(list((tmp_path / "archive").glob("data-*/points-*.parquet"))) == 3
    assert saved["points"] == restored["points"] == N and saved["bytes"] == restored["bytes"] > 0
    assert second.aliases() == {"things": restored["version"]}
    assert answers(second, "things") == answers(first, "things")
    said, was = second.read_manifest(restored["version"]), first.read_manifest("things__1")
    assert said.to_json() == was.to_json()
    assert {name: rows.tolist() for name, rows in said.tensors.items()} == {
        name: rows.tolist() for name, rows in was.tensors.items()
    }
    assert second.payload_indexes(restored["version"]) == INDEXES
    assert second.attachments(restored["version"]) == sorted([MAP, REPORT])
    for before, after in zip(points(first, "things__1"), points(second, restored["version"]), strict=True):
        assert (after.id, after.payload) == (before.id, before.payload)
        assert repr(after.payload) == repr(before.payload)  # 1.0 stays a float
        assert np.array_equal(after.vector["v_code"], before.vector["v_code"])  # type: ignore[index,call-overload]
        assert np.allclose(after.vector["v"], before.vector["v"], atol=1e-6)  # type: ignore[index,call-overload]


def test_an_archive_holds_each_vector_to_the_last_bit(embedded: Store, tmp_path: Path) -> None:
    save_collection(embedded, "things", str(tmp_path / "archive"))
    (file,) = (tmp_path / "archive").glob("data-*/points-*.parquet")
    table = pq.read_table(file)
    stored = points(embedded, "things__1")
    for name in ("v", "v_code"):
        expected = np.array([record.vector[name] for record in stored], np.float32)  # type: ignore[index,call-overload]
        assert np.array_equal(np.array(table[f"vector:{name}"].to_pylist(), np.float32), expected)
    assert [json.loads(text) for text in table["payload"].to_pylist()] == [each.payload for each in stored]


def test_memory_is_that_of_a_page(embedded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.backup.save.PAGE", 4)
    save_collection(embedded, "things", str(tmp_path / "archive"))
    (file,) = (tmp_path / "archive").glob("data-*/points-*.parquet")
    parquet = pq.ParquetFile(file)
    assert [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)] == [4] * 5 + [3]
    written: list[int] = []
    upsert = embedded.upsert
    monkeypatch.setattr(
        embedded, "upsert", lambda v, ids, *rest: (written.append(len(ids)), upsert(v, ids, *rest))
    )
    restore_collection(embedded, str(tmp_path / "archive"), "others")
    assert written == [4] * 5 + [3]


def test_an_archive_may_be_a_url(embedded: Store, tmp_path: Path) -> None:
    address = f"memory://{tmp_path.name}/archive"
    save_collection(embedded, "things", address)
    save_collection(embedded, "things", address, overwrite=True)
    restored = restore_collection(embedded, f"{address}/", "others")
    assert answers(embedded, "others") == answers(embedded, "things")
    assert restored["archive"] == address
    with pytest.raises(SimileError, match="URLs of 'nowhere' cannot be opened: "):
        save_collection(embedded, "things", "nowhere://archive")


def test_another_name_is_another_collection_for_jobs(embedded: Store, tmp_path: Path) -> None:
    save_collection(embedded, "things", str(tmp_path / "archive"))
    manifest = embedded.read_manifest(
        restore_collection(embedded, str(tmp_path / "archive"), "others")["version"]
    )
    assert (manifest.collection, manifest.source_key) == ("others", "")
    with pytest.raises(SimileError, match="'No Name' cannot be restored: collection: String should match"):
        restore_collection(embedded, str(tmp_path / "archive"), "No Name")


def test_nothing_is_overwritten_without_being_told(embedded: Store, tmp_path: Path) -> None:
    archive = str(tmp_path / "archive")
    save_collection(embedded, "things", archive)
    before = (tmp_path / "archive" / "archive.json").read_bytes()
    with pytest.raises(SimileError, match="holds an archive already; name another folder, or add --over"):
        save_collection(embedded, "things", archive)
    with pytest.raises(SimileError, match="A collection 'things' is there already; name another by --as"):
        restore_collection(embedded, archive)
    assert (tmp_path / "archive" / "archive.json").read_bytes() == before
    assert embedded.versions("things") == ["things__1"]
    save_collection(embedded, "things", archive, overwrite=True)
    assert len(list((tmp_path / "archive").glob("data-*"))) == 1  # the files of the first one are gone
    version = restore_collection(embedded, archive, overwrite=True)["version"]
    assert embedded.aliases() == {"things": version}
    assert embedded.versions("things") == ["things__1", version]  # --rollback goes back


def test_an_archive_that_was_cut_short_is_refused_and_can_be_made_anew(
    embedded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = str(tmp_path / "archive")
    with monkeypatch.context() as broken, pytest.raises(OSError, match="full"):
        broken.setattr(embedded, "attachments", lambda version: (_ for _ in ()).throw(OSError("disk full")))
        save_collection(embedded, "things", archive)
    with pytest.raises(SimileError, match=r"holds no whole archive: it has no archive\.json"):
        restore_collection(embedded, archive, "others")
    save_collection(embedded, "things", archive)
    assert len(list((tmp_path / "archive").glob("data-*"))) == 1
    with monkeypatch.context() as broken, pytest.raises(OSError, match="full"):
        broken.setattr(embedded, "attachments", lambda version: (_ for _ in ()).throw(OSError("disk full")))
        save_collection(embedded, "things", archive, overwrite=True)
    assert (
        restore_collection(embedded, archive, "others")["points"] == N
    )  # the older one is whole until the new one is


@pytest.mark.parametrize("file", ["points-00000.parquet", "manifest.json", "attachments/report.html"])
def test_a_file_that_is_not_what_was_written_is_refused(file: str, embedded: Store, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    save_collection(embedded, "things", str(archive))
    (path,) = archive.glob(f"data-*/{file}")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SimileError, match=f"is damaged: data-.*/{file} is not what was written"):
        restore_collection(embedded, str(archive), "others")
    path.unlink()
    with pytest.raises(SimileError, match=f"lacks its file data-.*/{file}; take another copy"):
        restore_collection(embedded, str(archive), "others")
    assert embedded.aliases() == {"things": "things__1"} and embedded.versions("others") == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 99}, "has format 99, and this Simile reads up to 1; update Simile"),
        ({"points": None}, "is damaged: points: "),
        ({"attachments": {"../report.html": {"path": "a", "bytes": 1, "sha256": ""}}}, "is damaged: attachm"),
        ({"manifest": {"path": "../a", "bytes": 1, "sha256": ""}}, "'../a' lies outside of the archive"),
    ],
)
def test_an_archive_of_somebody_else_is_read_with_care(
    change: dict[str, Any], sentence: str, embedded: Store, tmp_path: Path
) -> None:
    save_collection(embedded, "things", str(tmp_path / "archive"))
    index = tmp_path / "archive" / "archive.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | change))
    with pytest.raises(SimileError, match=sentence):
        restore_collection(embedded, str(tmp_path / "archive"), "others")


@pytest.mark.parametrize("fault", ["lost", "changed", "added"])
def test_what_the_store_did_not_keep_does_not_go_live(
    fault: str, embedded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upsert(version: str, ids: list[str], vectors: dict[str, np.ndarray], payloads: list[dict]) -> None:
        if fault == "changed":
            vectors["v"] = np.where(np.arange(len(ids))[:, None] == 5, -vectors["v"], vectors["v"])
        if fault == "added":
            ids = [*ids[:-1], str(uuid.uuid4())]
        n = len(ids) - (fault == "lost")
        original(version, ids[:n], {name: rows[:n] for name, rows in vectors.items()}, payloads[:n])

    save_collection(embedded, "things", str(tmp_path / "archive"))
    original = embedded.upsert
    monkeypatch.setattr(embedded, "upsert", upsert)
    with pytest.raises(SimileError, match=r"is not what the archive holds after .* stays as it was"):
        restore_collection(embedded, str(tmp_path / "archive"), overwrite=True)
    assert embedded.aliases() == {"things": "things__1"}
    monkeypatch.undo()
    left = embedded.versions("things")
    version = restore_collection(embedded, str(tmp_path / "archive"), overwrite=True)["version"]
    assert embedded.versions("things") == ["things__1", version] and len(left) == 2  # the bad one is gone


def test_a_collection_that_changes_while_it_is_saved_is_refused(
    embedded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([N, N + 1])
    monkeypatch.setattr(embedded, "count", lambda version: next(counts))
    with pytest.raises(SimileError, match=r"'things' changed while it was saved: 23 points were read"):
        save_collection(embedded, "things", str(tmp_path / "archive"))
    assert not (tmp_path / "archive" / "archive.json").exists()


def test_nothing_to_save_is_said(tmp_path: Path) -> None:
    store = fill(open_store(home=str(tmp_path / "home")), points=0)
    with pytest.raises(SimileError, match="'things' holds no picture"):
        save_collection(store, "things", str(tmp_path / "archive"))
    with pytest.raises(SimileError, match="Collection 'nothing' does not exist; there are: things"):
        save_collection(store, "nothing", str(tmp_path / "archive"))
    with pytest.raises(SimileError, match="The archive 'archive' is a relative path"):
        save_collection(store, "things", "archive")


def test_shards_and_replicas_of_the_restored_version(stores: dict[str, Store], tmp_path: Path) -> None:
    save_collection(fill(stores["filled embedded"]), "things", str(tmp_path / "archive"))
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        version = restore_collection(store, str(tmp_path / "archive"), shard_number=3, replication_factor=2)[
            "version"
        ]
        made = server.created[version]
    assert (made.shard_number, made.replication_factor) == (3, 2)
    assert made.vectors["v"].hnsw_config.m == 0  # type: ignore[index,union-attr] # 23 are compared one by one
    assert isinstance(made.vectors["v"].quantization_config, models.TurboQuantization)  # type: ignore[index]
    assert made.vectors["v_code"].distance == models.Distance.DOT  # type: ignore[index]


def test_the_command(embedded: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, archive = str(tmp_path / "home"), str(tmp_path / "archive")
    backup.main(["things", "--to", archive, "--home", home])
    saved = json.loads(capsys.readouterr().out)
    assert (saved["collection"], saved["points"], saved["attachments"]) == ("things", N, 2)
    backup.main(["--from", archive, "--as", "others", "--home", home])
    restored = json.loads(capsys.readouterr().out)
    assert (restored["collection"], restored["points"]) == ("others", N)
    backup.main(["--from", archive, "--home", home, "--overwrite"])
    assert json.loads(capsys.readouterr().out)["collection"] == "things"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "/a"], "name the collection that shall be saved"),
        (["things", "--to", "/a", "--as", "others"], "--as belongs to --from"),
        (["things", "--from", "/a"], "restore under another name by --as"),
        (["things"], "one of the arguments --to --from is required"),
        (["--from", "/nowhere"], "'/nowhere' holds no whole archive"),
    ],
)
def test_a_command_that_says_too_much_or_too_little(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        backup.main([*arguments, "--home", str(tmp_path)])
    assert sentence in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_one_sentence(
    embedded: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        backup.main(["things", "--to", str(tmp_path / "file" / "archive"), "--home", str(tmp_path / "home")])
    assert "/archive' cannot be used: " in capsys.readouterr().err
