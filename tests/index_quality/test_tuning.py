"""The frontier by hand, and real scratch versions that leave nothing behind."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import CollectionConfig, EncoderConfig, HnswConfig
from pipeline.home import store_folder
from pipeline.index_quality.tuning import Trial, frontier, recommend, try_settings
from pipeline.store import Manifest, Store
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.protocol import vector_params
from ray_jobs.tune import main


def trial(recall: float, code_bytes: float, ms: float) -> Trial:
    return Trial({}, {}, recall, code_bytes, 50.0, ms)


def test_the_frontier_leaves_out_what_another_beats_in_everything() -> None:
    small, slow, exact = trial(0.95, 64, 1.0), trial(0.95, 64, 2.0), trial(1.0, 2048, 1.0)
    assert frontier([exact, slow, small]) == [small, exact]
    assert frontier([small, trial(0.95, 64, 1.0)]) == [small, small]  # equal ones do not beat each other


def test_the_recommendation_is_the_smallest_that_reaches_the_recall() -> None:
    trials = [trial(0.98, 32, 1.0), trial(0.992, 64, 2.0), trial(0.995, 64, 1.0), trial(1.0, 2048, 0.5)]
    assert recommend(trials, 0.99) == trials[2]
    assert recommend(trials, 0.97) == trials[0]
    assert recommend(trials[:1], 0.99) == trials[0]  # nothing reaches it: the best there is


def test_scratch_versions_are_measured_and_dropped(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    vectors = np.random.default_rng(0).normal(size=(2600, 100)).astype(np.float32)
    config = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
    searches = [{"oversampling": 1}, {"oversampling": 8}]
    found = list(try_settings(store, vectors, config, [{"kind": "binary"}, {"kind": "none"}], searches))
    assert [t.code_bytes for t in found] == [16, 16, 400]  # as the engine's files say
    assert found[0].recall < found[1].recall  # more candidates are rescored
    assert found[-1].recall > 0.95
    assert store.versions("things") == []


@pytest.mark.parametrize(("full_scan_kb", "tried"), [(10, [64, 64, 64, 128]), (1000, [None, None])])
def test_without_a_graph_its_breadth_is_not_tried(
    tmp_path: Path, full_scan_kb: int, tried: list[int | None]
) -> None:
    config = CollectionConfig(
        collection="things",
        source="x",
        encoders=[EncoderConfig(name="e:cnn")],
        hnsw=HnswConfig(full_scan_kb=full_scan_kb),
    )
    vectors = np.random.default_rng(0).normal(size=(600, 20)).astype(np.float32)  # 47 KB
    searches = [{"oversampling": 2, "hnsw_ef": 64}, {"oversampling": 2, "hnsw_ef": 64}]
    kinds = [{"kind": "binary"}, {"kind": "none"}]
    found = list(try_settings(EmbeddedStore(tmp_path), vectors, config, kinds, searches))
    assert [trial.search.get("hnsw_ef") for trial in found] == tried


def test_the_command_recommends_and_refuses_too_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = EmbeddedStore(store_folder(str(tmp_path)))
    config = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
    store.create("things__1", config, vector_params(config, {"v": 4}, {}), {})
    store.finish("things__1")
    store.write_manifest("things__1", Manifest(collection="things", hnsw={"m": 8}))
    store.switch("things", "things__1")
    vectors = np.random.default_rng(0).normal(size=(2600, 100)).astype(np.float32)
    monkeypatch.setattr("pipeline.index_quality.tuning.staged_vectors", lambda *_: vectors)
    tried: list[CollectionConfig] = []

    def few(scratch: Store, rows: np.ndarray, config: CollectionConfig) -> Iterator[Trial]:
        tried.append(config)
        return try_settings(
            scratch, rows, config, [{"kind": "binary"}, {"kind": "none"}], [{"oversampling": 1}]
        )

    monkeypatch.setattr("pipeline.index_quality.tuning.try_settings", few)
    main(["things", "--recall", "0.9", "--home", str(tmp_path)])
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert result["recommended"]["quantization"] == {"kind": "none"} and result["reached"]
    assert "recommended" in said.err and tried[0].hnsw.m == 8
    monkeypatch.setattr("pipeline.index_quality.tuning.staged_vectors", lambda *_: vectors[:100])
    with pytest.raises(SystemExit):
        main(["things", "--home", str(tmp_path)])
    assert "there is nothing to tune" in capsys.readouterr().err
