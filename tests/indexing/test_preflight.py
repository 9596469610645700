"""What can be known to fail is one sentence, before Ray is started or a network loaded."""

import shutil
import socket
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml
from qdrant_client import QdrantClient

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.encoders import EncoderDescription
from pipeline.indexing import preflight
from pipeline.indexing.preflight import bytes_a_row
from pipeline.locks.lock import writer_lock
from pipeline.sources import Unit
from pipeline.store import server_connection, servers
from pipeline.store.server import ServerStore
from ray_jobs.index import main
from tests.stand_ins.qdrant import QdrantStandIn

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was started"))


def refusal(
    folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str, home: str = "", **changes: Any
) -> str:
    """What the job says before it ends with exit code 1."""
    settings = {
        "collection": "birds",
        "source": str(ROOT / "samples" / "cifar10"),
        "encoders": [{"name": "weights:cifar10-cnn"}],
    } | changes
    config = folder / "birds.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        main([str(config), "--home", home or str(folder), *arguments])
    assert stopped.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_store_that_is_not_there(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_URL", "http://127.0.0.1:1")
    assert "No Qdrant server answers at http://127.0.0.1:1" in refusal(tmp_path, capsys)


def test_a_store_that_does_not_answer(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    assert server_connection.CONNECT_SECONDS < 10  # what a user waits for the sentence
    monkeypatch.setattr(server_connection, "CONNECT_SECONDS", 1)
    monkeypatch.setenv("QDRANT_URL", silent)
    assert f"No Qdrant server answers at {silent}" in refusal(tmp_path, capsys)


def test_a_store_that_takes_no_points(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with QdrantStandIn() as stand_in:
        stand_in.fault = lambda method, path: "500" if method == "PUT" else None
        monkeypatch.setenv("QDRANT_URL", stand_in.url)
        assert "answered 500" in refusal(tmp_path, capsys)


def test_a_store_that_takes_points_and_never_answers(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 15 < servers.PEER_SECONDS < 60  # a collection takes 11 seconds while a node is down
    monkeypatch.setattr(preflight, "_PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr(servers, "PEER_SECONDS", 1)
    monkeypatch.setattr("tests.stand_ins.qdrant.STALL_SECONDS", 30)
    with QdrantStandIn() as stand_in:
        stand_in.fault = lambda method, path: None if method == "GET" else "stall"
        monkeypatch.setenv("QDRANT_URL", stand_in.url)
        assert "did not answer for 1 s; try again when it is back" in refusal(tmp_path, capsys)


@pytest.mark.parametrize("key", [None, "wrong"])
def test_a_wrong_key(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    with QdrantStandIn(api_key="right") as stand_in:
        monkeypatch.setenv("QDRANT_URL", stand_in.url)
        if key:
            monkeypatch.setenv("QDRANT_API_KEY", key)
        assert "answers 401; set QDRANT_API_KEY" in refusal(tmp_path, capsys)


def test_small_pictures_need_little_disk() -> None:
    config = CollectionConfig(collection="c", source="s", encoders=[EncoderConfig(name="e")])
    described = {"e": EncoderDescription("e", "timm:e", 32, "r", {}, "e")}
    of_photographs = bytes_a_row(described, config, [Unit("u", 10, 10 * 2_000_000), Unit("v", 5)])
    assert of_photographs == bytes_a_row(described, config) == bytes_a_row(described, config, [Unit("u", 9)])
    small = bytes_a_row(described, config, [Unit("u", 10, 10 * 300)])
    assert of_photographs[0] - small[0] == 15_000 - (500 + 3 * 300)
    assert of_photographs[1] - small[1] == 15_000 * 4 // 3 - (500 + 3 * 300) * 4 // 3


def test_a_disk_without_room(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    assert "GB are free; free some space" in refusal(tmp_path, capsys)


def test_a_column_that_is_not_there(tmp_path: Path, capsys: Any) -> None:
    assert "'photo'" in refusal(tmp_path, capsys, image="photo")
    assert "Filters ['painter'] are not columns" in refusal(tmp_path, capsys, filters=["painter"])


@pytest.mark.parametrize(
    "name", ["timm:resnet5000", "weights:cifar11", "pypi:lite9", "./nowhere", "resnet50"]
)
def test_an_encoder_that_nobody_knows(tmp_path: Path, capsys: Any, name: str) -> None:
    said = refusal(tmp_path, capsys, encoders=[{"name": name}])
    assert name.removeprefix("./").split(":")[-1] in said


def test_more_actors_than_this_machine_has(tmp_path: Path, capsys: Any) -> None:
    assert "lower --actors" in refusal(tmp_path, capsys, "--actors", "6400")


def test_a_share_of_a_gpu_that_is_none(tmp_path: Path, capsys: Any) -> None:
    assert "--gpus-per-actor is nan; it must be" in refusal(tmp_path, capsys, "--gpus-per-actor", "nan")


def test_a_home_that_is_a_file(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "home").write_text("")
    said = refusal(tmp_path, capsys, home=str(tmp_path / "home"))
    assert "home cannot be used: " in said and "it must be a writable folder" in said


def test_a_home_of_a_kind_that_is_not_known(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with QdrantStandIn() as stand_in:
        monkeypatch.setenv("QDRANT_URL", stand_in.url)
        said = refusal(tmp_path, capsys, home="hdfs://namenode/simile")
    assert "'hdfs://' is no object store that Simile knows" in said


@pytest.mark.long
@pytest.mark.parametrize("remote", [False, True])
def test_a_second_writer(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, remote: bool, s3: str
) -> None:
    home = f"{s3}/{tmp_path.name}" if remote else str(tmp_path)
    with QdrantStandIn() as stand_in, writer_lock(home, "birds"):
        monkeypatch.setenv("QDRANT_URL", stand_in.url)  # a home that is no folder has no embedded store
        assert "Another job is writing 'birds' (process" in refusal(tmp_path, capsys, home=home)


def test_shards_on_a_dead_node_are_named(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_PATIENCE_SECONDS", 0.5)
    with QdrantStandIn(peers=3) as stand_in:
        stand_in.kill(1)
        monkeypatch.setenv("QDRANT_URL", stand_in.url)
        said = refusal(tmp_path, capsys, shard_number=6)
        assert "2 of 6 shards of 'birds__preflight-" in said
        assert "Initializing on peer 1002" in said and "set replication_factor to 2 or more" in said


def test_a_name_that_is_a_collection_s(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with QdrantStandIn() as stand_in:
        ServerStore(stand_in.url).servers.change(QdrantClient.create_collection, "birds", vectors_config={})
        monkeypatch.setenv("QDRANT_URL", stand_in.url)
        assert "has a collection 'birds', so that no alias can have its name" in refusal(tmp_path, capsys)
