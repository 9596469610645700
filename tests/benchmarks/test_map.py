"""The benchmark of the map, on few points and for a moment."""

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from benchmarks.demo_in_chromium import find_chromium
from benchmarks.map import frames, opened, synthetic_map
from pipeline.map.map_file import read_map, write_map

T = TypeVar("T")
# Red, green and blue of every pixel that is drawn.
DRAWN = """() => {
  const canvas = document.querySelector('#map .dots');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height), found = [];
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3]) found.push([...data.slice(i, i + 3)]);
  return found;
}"""
SWATCHES = """() => [...document.querySelectorAll('#map .legend button')]
  .map(one => one.style.getPropertyValue('--swatch'))"""


def test_synthetic_points_are_a_map_that_can_be_kept() -> None:
    made = synthetic_map(3_000)
    kept = read_map(write_map(made))
    assert len(kept.ids) == 3_000 == len(set(kept.ids)) and len(kept.sample) == 900
    assert abs(kept.positions).max() <= 1 and kept.labels["cluster"].values.max() == 39


def need_chromium() -> None:
    if not find_chromium() and not os.environ.get("CI"):
        pytest.skip("no Chromium here")


def in_thread(work: Callable[[], T]) -> T:
    """Playwright's loop may run on the tests' own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


@pytest.mark.browser
@pytest.mark.long
def test_frames_are_counted_while_the_map_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_chromium()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    figures = in_thread(lambda: frames(synthetic_map(500), 1.0))
    assert figures["drawn_s"] > 0
    for kind in ("drag", "wheel"):
        assert 0 < figures[kind]["fps"] <= 130 and figures[kind]["p95_ms"] > 0


@pytest.mark.long
@pytest.mark.browser
# Larger ones are drawn in another way.
@pytest.mark.parametrize("points", [1_000, pytest.param(21_000, marks=pytest.mark.long)])
def test_dots_have_the_colours_of_the_legend(
    points: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_chromium()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    def colours() -> tuple[list[list[int]], set[str]]:
        with opened(synthetic_map(points)) as (page, _):
            return page.evaluate(DRAWN), set(page.evaluate(SWATCHES))

    drawn, legend = in_thread(colours)
    swatches = np.array([list(bytes.fromhex(one[1:])) for one in legend])
    commonest = [colour for colour, _ in Counter(map(tuple, drawn)).most_common(5)]
    off = np.abs(np.array(commonest)[:, None] - swatches).max(2).min(1)
    assert len(legend) == 10 and off.max() <= 2, commonest
