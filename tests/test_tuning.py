"""The frontier by hand, and real scratch versions that leave nothing behind."""

from pathlib import Path

import numpy as np

from pipeline.store.edge import EdgeStore
from pipeline.tuning import Trial, frontier, recommend, try_settings
from qdrant_config import CollectionConfig, EncoderConfig


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
    store = EdgeStore(tmp_path)
    vectors = np.random.default_rng(0).normal(size=(2600, 100)).astype(np.float32)
    config = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
    searches = [{"oversampling": 1}, {"oversampling": 8}]
    found = list(try_settings(store, vectors, config, [{"kind": "binary"}, {"kind": "none"}], searches))
    assert [t.code_bytes for t in found] == [16, 16, 400, 400]
    assert found[0].recall < found[1].recall  # more candidates are rescored
    assert found[-1].recall > 0.95
    assert store.versions("things") == []
