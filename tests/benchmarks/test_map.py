"""The benchmark of the map, on few points and for a moment."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.chromium import find_chromium
from benchmarks.map import frames, synthetic_map
from pipeline.mapping.stored import read_map, write_map


def test_synthetic_points_are_a_map_that_can_be_kept() -> None:
    made = synthetic_map(3_000)
    kept = read_map(write_map(made))
    assert len(kept.ids) == 3_000 == len(set(kept.ids)) and len(kept.sample) == 900
    assert abs(kept.positions).max() <= 1 and kept.labels["cluster"].values.max() == 39


@pytest.mark.browser
def test_frames_are_counted_while_the_map_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not find_chromium() and not os.environ.get("CI"):
        pytest.skip("no Chromium here")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with ThreadPoolExecutor(1) as thread:  # Playwright's loop may run on the tests' own
        figures = thread.submit(frames, synthetic_map(500), 1.0).result()
    assert figures["drawn_s"] > 0
    for kind in ("drag", "wheel"):
        assert 0 < figures[kind]["fps"] <= 130 and figures[kind]["p95_ms"] > 0
