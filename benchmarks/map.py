"""How smoothly a map moves: python -m benchmarks.map [--points 50000] [--seconds 6]

Draws synthetic points in Chromium as the Map tab does, and counts frames while the mouse drags the map and
while its wheel zooms in and out. WebGL is drawn by the processor (SwiftShader), as where there is no GPU.
"""

import argparse
import io
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.demo_in_chromium import WEBGL_FLAGS, find_chromium
from benchmarks.report import machine, print_table, write_result
from pipeline.map import Map
from pipeline.map.map_file import MAP, MapField, write_map

__all__ = ["frames", "main", "opened", "synthetic_map"]

_CLUSTERS = 40
_SIDE, _COLUMNS = 32, 30  # pixels of a thumbnail; thumbnails in a row of the one sheet, which holds 900
_SIZE = {"width": 1400, "height": 900}
_STEP_SECONDS = 0.03  # between two moves of the mouse
# Times of all frames from now on, in milliseconds.
_WATCH = """() => {
  const at = window.frames_at = [];
  const next = now => { if (at === window.frames_at) { at.push(now); requestAnimationFrame(next); } };
  requestAnimationFrame(next);
}"""


def main() -> int:
    """Prints the figures and keeps them in benchmarks/results/map.json."""
    parser = argparse.ArgumentParser(prog="benchmarks.map", description=__doc__)
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=6.0, help="seconds of dragging, and of zooming")
    options = parser.parse_args()
    before = machine()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        figures = frames(synthetic_map(options.points), options.seconds)
    rows = [(kind, figures[kind]["fps"], figures[kind]["p95_ms"]) for kind in _MOVES]
    print_table(
        f"{options.points:,} points, drawn after {figures['drawn_s']} s", ["", "frames/s", "p95 ms"], rows
    )
    print(write_result("map", {"points": options.points} | figures, before))
    return 0


def synthetic_map(points: int, seed: int = 0) -> Map:
    """Clusters of points with one label each; 900 of the points have a thumbnail, which fill a sheet."""
    random = np.random.default_rng(seed)
    cluster = np.sort(random.integers(0, _CLUSTERS, points))
    places = random.uniform(-0.9, 0.9, (_CLUSTERS, 2))[cluster] + random.normal(0, 0.05, (points, 2))
    shown = min(points, _COLUMNS**2)
    facts = {"side": _SIDE, "columns": _COLUMNS, "sheets": 1, "points": points}
    return Map(
        [str(uuid.UUID(int=i)) for i in range(points)],
        places.clip(-1, 1).astype(np.float32),
        {"cluster": MapField([f"cluster {i}" for i in range(_CLUSTERS)], cluster.astype(np.uint16))},
        np.full(points, -1, np.int32),
        np.linspace(0, points - 1, shown).astype(np.int32),
        facts,
    )


@dataclass(frozen=True)
class _Attached:
    """Takes the place of a collection that has this map."""

    map: Map
    name: str = "synthetic"

    @property
    def live(self) -> tuple[None, None]:
        """No store: none of its points is hidden."""
        return None, None

    def attachment(self, name: str) -> bytes:
        if name == MAP:
            return write_map(self.map)
        side = _SIDE * _COLUMNS
        noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(noise).save(file, "WEBP")
        return file.getvalue()


def frames(made: Map, seconds: float) -> dict[str, Any]:
    """Seconds until the map is drawn; frames a second and the p95 of a frame's time by kind of moving."""
    with opened(made) as (page, drawn):
        return {"drawn_s": drawn} | {name: _moved(page, move, seconds) for name, move in _MOVES.items()}


@contextmanager
def opened(made: Map) -> Iterator[tuple[Any, float]]:
    """A page of Chromium in which the map is drawn, and the seconds that took."""
    import gradio as gr
    from playwright.sync_api import sync_playwright

    from page.components.map_chart import map_chart
    from page.components.map_files import MapFiles
    from page.theme import CSS, theme

    files = MapFiles().of(_Attached(made))  # type: ignore[arg-type]
    assert files is not None
    with gr.Blocks(analytics_enabled=False, fill_width=True) as blocks:
        map_chart(json.dumps({"notice": ""} | files.facts))
    _, url, _ = blocks.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, theme=theme(), css=CSS)
    chromium = find_chromium()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=WEBGL_FLAGS)
            page = browser.new_page(viewport=_SIZE)  # type: ignore[arg-type]
            start = time.perf_counter()
            page.goto(url)
            page.locator(f"#map .stage[data-points='{len(made.ids)}']").wait_for(timeout=120_000)
            yield page, round(time.perf_counter() - start, 2)
            browser.close()
    finally:
        blocks.close(verbose=False)


def _moved(page: Any, move: Callable[[Any, int, dict[str, float]], None], seconds: float) -> dict[str, float]:
    box = page.locator("#map .stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.evaluate(_WATCH)
    end, step = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        move(page, step, box)
        step += 1
        page.wait_for_timeout(1000 * _STEP_SECONDS)
    page.mouse.up()
    gaps = np.diff(page.evaluate("window.frames_at"))
    return {"fps": round(1000 / float(gaps.mean()), 1), "p95_ms": round(float(np.percentile(gaps, 95)), 1)}


def _drag(page: Any, step: int, box: dict[str, float]) -> None:
    """To and fro, over half of the stage."""
    if step == 0:
        page.mouse.down()
    swing = 0.25 * np.sin(step / 8)
    page.mouse.move(box["x"] + box["width"] * (0.5 + swing), box["y"] + box["height"] * (0.5 + swing / 2))


def _wheel(page: Any, step: int, box: dict[str, float]) -> None:
    """Zooms in for thirty turns, then out again; on the way dots turn into pictures."""
    page.mouse.wheel(0, -40 if step % 60 < 30 else 40)


def _rest(page: Any, step: int, box: dict[str, float]) -> None:
    """Nothing moves: the most frames that this machine draws."""


_MOVES = {"rest": _rest, "drag": _drag, "wheel": _wheel}

if __name__ == "__main__":
    sys.exit(main())
