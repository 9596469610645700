"""A description that was made before is not made again, until something that it depends on changes."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.encoders import describe_encoder, load
from pipeline.encoders.description import EncoderDescription

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIMILE_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(ROOT / "weights" / "cifar10-cnn", tmp_path / "network"))


def described_without_torch(name: str, monkeypatch: pytest.MonkeyPatch) -> EncoderDescription:
    with monkeypatch.context() as patch:
        patch.setattr(load, "_family", lambda checkpoint: pytest.fail("the network was built again"))
        return describe_encoder(name)


def test_the_second_time_no_network_is_built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = describe_encoder(str(folder))
    again = described_without_torch(str(folder), monkeypatch)
    assert (again, again.fingerprint) == (first, first.fingerprint)
    moved = folder.rename(folder.with_name("elsewhere"))
    there = described_without_torch(str(moved), monkeypatch)
    assert (there.name, there.fingerprint) == (str(moved), first.fingerprint)


def test_other_settings_are_another_description(folder: Path) -> None:
    first = describe_encoder(str(folder))
    config = json.loads((folder / "config.json").read_text())
    config["preprocessing"]["mean"] = [0.1, 0.2, 0.3]
    (folder / "config.json").write_text(json.dumps(config))
    changed = describe_encoder(str(folder))
    assert changed.fingerprint != first.fingerprint
    assert changed.preprocessing["mean"] == [0.1, 0.2, 0.3]


def test_a_damaged_or_unwritable_cache_is_no_error(folder: Path, tmp_path: Path) -> None:
    first = describe_encoder(str(folder))
    (kept,) = (tmp_path / "cache" / "descriptions").glob("*.json")
    kept.write_text("{")
    assert describe_encoder(str(folder)) == first
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert describe_encoder(str(folder)) == first
