"""Thumbnails as files on the home: written once, found again by every way that reads points."""

import base64
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.points import RESERVED
from pipeline.store import Store
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.protocol import vector_params
from pipeline.store.server import ServerStore
from pipeline.store.thumbnail_files import ThumbnailFiles
from tests.stand_ins.qdrant import QdrantStandIn

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
IDS = [str(uuid.UUID(int=at)) for at in range(3)]
PICTURES = [bytes([at]) * 5000 for at in range(3)]


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "embedded":
        yield EmbeddedStore(tmp_path / "store")
        return
    with QdrantStandIn() as server:
        yield ServerStore(server.url, patience=2.0, home=str(tmp_path))


def filled(store: Store, home: Path) -> None:
    """Two points whose thumbnails are files, and one that holds its own."""
    files = ThumbnailFiles(str(home))
    own = base64.b64encode(PICTURES[2]).decode()
    kept = [files.keep("things", point, data) for point, data in zip(IDS[:2], PICTURES, strict=False)]
    store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
    payloads = [{RESERVED: {"thumbnail": each, "width": 5}} for each in (*kept, own)]
    store.upsert("things__1", IDS, {"cnn": np.eye(3, 2, dtype=np.float32) + 0.1}, payloads)
    store.finish("things__1")


def thumbnails(points) -> dict[str, bytes]:
    return {str(point.id): base64.b64decode(point.payload[RESERVED]["thumbnail"]) for point in points}


def test_every_way_of_reading_points_finds_them(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path)
    wanted = dict(zip(IDS, PICTURES, strict=True))
    assert thumbnails(store.retrieve("things__1", IDS)) == wanted
    assert thumbnails(store.scroll("things__1", 9)) == wanted
    assert thumbnails(store.query("things__1", np.ones(2, np.float32), using="cnn", limit=9)) == wanted
    assert thumbnails(store.scroll("things__1", 9, fields=[(RESERVED, "thumbnail")])) == wanted
    assert store.scroll("things__1", 9, fields=[(RESERVED, "width")])[0].payload == {RESERVED: {"width": 5}}
    assert len([path for path in (tmp_path / "thumbnails").rglob("*") if path.is_file()]) == 2


def test_one_that_is_not_there_is_said_once(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled(store, tmp_path)
    for path in (tmp_path / "thumbnails").rglob("*"):
        if path.is_file():
            path.unlink()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = thumbnails(store.retrieve("things__1", IDS))
    assert found == {IDS[0]: b"", IDS[1]: b"", IDS[2]: PICTURES[2]}
    assert len([record for record in caplog.records if "--home" in record.message]) == 1


@pytest.mark.parametrize("name", ["/etc/passwd", "thumbnails/../../secret", "secret", "../secret"])
def test_a_reference_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for secret in (tmp_path / "secret", home / "secret"):
        secret.write_bytes(b"secret")
    store = EmbeddedStore(home / "store")
    store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
    payload = {RESERVED: {"thumbnail": f"home:{name}"}}
    store.upsert("things__1", IDS[:1], {"cnn": np.ones((1, 2), np.float32)}, [payload])
    assert thumbnails(store.retrieve("things__1", IDS[:1])) == {IDS[0]: b""}


def test_files_on_an_object_store(s3: str) -> None:
    files = ThumbnailFiles(f"{s3}/deep")
    reference = files.keep("things", IDS[0], PICTURES[0])
    (point,) = files.put_back([models.Record(id=IDS[0], payload={RESERVED: {"thumbnail": reference}})])
    assert thumbnails([point]) == {IDS[0]: PICTURES[0]}
