"""What is saved from one store and restored into another one is found as before."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from qdrant_client import models

from pipeline.backup import restore_collection, save_collection
from pipeline.errors import SimileError
from pipeline.map.map_file import MAP
from pipeline.report import REPORT
from pipeline.search import Collection
from pipeline.store import Store, open_store
from pipeline.store.read_points import all_points
from tests.backup.conftest import IDS, INDEXES, KINDS, N, fill
from tests.stand_ins.qdrant import QdrantStandIn


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


def test_an_archive_may_be_a_url(embedded: Store, tmp_path: Path, s3: str) -> None:
    address = f"{s3}/{tmp_path.name}/archive"
    save_collection(embedded, "things", address)
    save_collection(embedded, "things", address, overwrite=True)
    restored = restore_collection(embedded, f"{address}/", "others")
    assert answers(embedded, "others") == answers(embedded, "things")
    assert restored["archive"] == address
    with pytest.raises(SimileError, match="'nowhere://' is no object store"):
        save_collection(embedded, "things", "nowhere://archive")


def test_another_name_is_another_collection_for_jobs(embedded: Store, tmp_path: Path) -> None:
    save_collection(embedded, "things", str(tmp_path / "archive"))
    manifest = embedded.read_manifest(
        restore_collection(embedded, str(tmp_path / "archive"), "others")["version"]
    )
    assert (manifest.collection, manifest.source_key) == ("others", "")
    with pytest.raises(SimileError, match="A version of 'No Name' cannot be made: collection: String"):
        restore_collection(embedded, str(tmp_path / "archive"), "No Name")


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
