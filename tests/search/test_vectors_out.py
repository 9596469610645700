"""Twelve grey pictures as batches, tables and files."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.search import Collection
from pipeline.search.exported_rows import ExportedRows
from pipeline.store.id_slices import id_slices, slices_for
from pipeline.store.manifest import Version
from pipeline.store.read_points import all_points
from tests.search.conftest import BITS, IDS, N, direction

IN_ORDER = sorted(range(N), key=IDS.__getitem__)
VECTORS = np.stack([direction(10 * i) / np.linalg.norm(direction(10 * i)) for i in IN_ORDER])


def test_vectors_in_batches(greys: Collection) -> None:
    batches = list(greys.iter_vectors(batch=5))
    assert [len(batch.ids) for batch in batches] == [5, 5, 2]
    assert [point for batch in batches for point in batch.ids] == [IDS[i] for i in IN_ORDER]
    assert np.allclose(np.concatenate([batch.vectors for batch in batches]), VECTORS, atol=1e-6)
    codes = np.concatenate([batch.codes for batch in batches])
    assert codes.dtype == np.int8 and np.array_equal(codes, np.where(VECTORS >= 0, 1, -1))
    odd = [point for batch in greys.iter_vectors(filters={"style": "odd"}) for point in batch.ids]
    assert odd == [IDS[i] for i in IN_ORDER if i % 2]
    with pytest.raises(SimileError, match="not indexed with 'vgg'"):
        greys.iter_vectors("vgg")
    with pytest.raises(SimileError, match="batch is 0; it must be 1 or more"):
        greys.iter_vectors(batch=0)


def test_a_table_of_everything(greys: Collection) -> None:
    table = greys.to_arrow(thumbnails=True)
    names = ["id", "artist", "style", "payload", "places", "width", "height", "credit"]
    assert table.column_names == [*names, "thumbnail", "thumbnail_type", "v", "v_code"]
    assert table["artist"].to_pylist() == [f"artist {i % 3}" for i in IN_ORDER]
    assert table["thumbnail"][0].as_py().startswith(b"\x89PNG") and table["payload"].null_count == N
    bits = np.unpackbits(np.array(table["v_code"].to_pylist(), np.uint8), axis=1)
    assert np.array_equal(bits[:, :BITS], VECTORS >= 0)
    frame = greys.to_pandas(filters={"artist": "artist 1"})
    assert len(frame) == 4 and frame["v"][0].shape == (BITS,) and "thumbnail" not in frame
    assert greys.to_arrow(encoders=[]).column_names == names
    assert greys.to_arrow(filters={"style": "none"}).num_rows == 0


def test_files(greys: Collection, tmp_path: Path) -> None:
    assert greys.to_parquet(tmp_path / "new" / "greys.parquet") == N
    assert pq.read_table(tmp_path / "new" / "greys.parquet").equals(greys.to_arrow())
    assert greys.to_npy(tmp_path / "arrays") == N
    arrays = {name: np.load(tmp_path / "arrays" / f"{name}.npy") for name in ("ids", "v", "v_code")}
    assert arrays["ids"].tolist() == [IDS[i] for i in IN_ORDER]
    assert np.allclose(arrays["v"], VECTORS, atol=1e-6) and arrays["v_code"].shape == (N, BITS // 8)
    payload = pq.read_table(tmp_path / "arrays" / "payload.parquet")
    assert payload["id"].to_pylist() == arrays["ids"].tolist() and "v" not in payload.column_names
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == [
        "greys.parquet", "ids.npy", "payload.parquet", "v.npy", "v_code.npy",
    ]  # fmt: skip
    assert greys.to_npy(tmp_path / "none", filters={"style": "none"}) == 0
    assert np.load(tmp_path / "none" / "v.npy").shape == (0, BITS)
    with pytest.raises(SimileError, match="cannot be written"):
        greys.to_parquet(tmp_path / "arrays" / "ids.npy" / "x.parquet")


@pytest.mark.long
def test_a_url_is_written_as_well(uncalibrated: Collection, s3: str) -> None:
    from pipeline.home import filesystem

    assert uncalibrated.to_parquet(f"{s3}/greys.parquet", encoders=[]) == N
    files, path = filesystem(f"{s3}/greys.parquet")
    assert pq.read_table(path, filesystem=files).num_rows == N


def test_slices_hold_every_picture_once(greys: Collection) -> None:
    store, version = greys.live
    whole = [str(point.id) for point in all_points(store, version.name)]
    for count in (1, 2, 7, 64):
        parts = [all_points(store, version.name, page=2, within=each) for each in id_slices(count)]
        assert [str(point.id) for part in parts for point in part] == whole
    assert [len(slices_for(points)) for points in (0, 10, 50_000, 10**9)] == [1, 1, 12, 4096]


KINDS = {
    "year": FieldKind("integer"),
    "price": FieldKind("number"),
    "sold": FieldKind("boolean"),
    "when": FieldKind("time"),
    "tags": FieldKind("text", many=True),
    "width": FieldKind("text"),
}


def batch_of(greys: Collection, payload: dict[str, Any]) -> pa.RecordBatch:
    manifest = greys.manifest.model_copy(update={"filters": tuple(KINDS), "kinds": KINDS})
    rows = ExportedRows(Version("v", manifest), [])
    return rows._batch([models.Record(id=IDS[0], payload=payload), models.Record(id=IDS[1], payload={})])


def test_every_kind_of_field_has_its_type(uncalibrated: Collection) -> None:
    payload = {"year": 1900, "price": 1.5, "sold": True, "when": "2024-05-31", "tags": ["a", "b"]}
    payload |= {"width": "wide", "note": {"deep": 1}, "_simile": {"width": 640}}
    batch = batch_of(uncalibrated, payload)
    first, second = batch.to_pylist()
    assert first["when"].isoformat() == "2024-05-31T00:00:00+00:00"
    assert (first["year"], first["price"], first["sold"], first["tags"]) == (1900, 1.5, True, ["a", "b"])
    assert (first["source_width"], first["width"], first["payload"]) == ("wide", 640, '{"note": {"deep": 1}}')
    assert {value for name, value in second.items() if name != "id"} == {None}
    with pytest.raises(
        SimileError, match="'year' of 'greys' holds whole numbers, and a stored value is none"
    ):
        batch_of(uncalibrated, {"year": "about 1900"})
