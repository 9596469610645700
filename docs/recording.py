"""A recording of the page: python -m docs.recording [--home …] [--collection WikiArt].

Starts the demo, drives Chromium as a visitor would for 20 seconds, and writes docs/recording.gif from
pictures of its window. Needs requirements-dev.txt and a Chromium.
"""

import argparse
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

from benchmarks.demo_in_chromium import WEBGL_FLAGS, find_chromium, running_demo

HERE = Path(__file__).resolve().parent
FILE = HERE / "recording.gif"
WINDOW = {"width": 1120, "height": 700}
WIDTH = 800  # pixels of the recording
COLOURS = (128, 64, 32)  # of a frame; fewer where the file would be too large
MAX_BYTES = 3_000_000
FRAME_MS = 300
EXAMPLE = 0  # an Impressionist landscape of the WikiArt sample
# A mouse pointer, because pictures of a window have none.
_POINTER = """() => {
  const dot = document.createElement('div');
  dot.style.cssText = 'position:fixed;z-index:2147483647;width:18px;height:18px;margin:-9px;'
    + 'border-radius:50%;background:rgb(200 30 79 / .85);border:2px solid #fff;'
    + 'pointer-events:none;left:-50px;top:-50px';
  dot.popover = 'manual';
  document.body.append(dot);
  document.addEventListener('mousemove', event => {
    dot.hidePopover?.();
    dot.showPopover?.();  // above an open dialog
    dot.style.left = `${event.clientX}px`;
    dot.style.top = `${event.clientY}px`;
  }, true);
}"""


class Recorder:
    """Pictures of a window with the milliseconds that each is shown."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.frames: list[tuple[bytes, int]] = []

    def watch(self, seconds: float) -> None:
        """Takes pictures for so long; equal ones count as one. A slow machine does not make it longer."""
        for _ in range(max(1, round(seconds * 1000 / FRAME_MS))):
            began = time.monotonic()
            shot = self._page.screenshot()
            time.sleep(max(0.0, FRAME_MS / 1000 - (time.monotonic() - began)))
            if self.frames and self.frames[-1][0] == shot:
                self.frames[-1] = (shot, self.frames[-1][1] + FRAME_MS)
            else:
                self.frames.append((shot, FRAME_MS))

    def press(self, target: Locator, seconds: float) -> None:
        """Moves the pointer there, presses, and watches what comes."""
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box is not None
        self._page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
        self.watch(0.5)
        self._page.mouse.down()
        self._page.mouse.up()
        self.watch(seconds)


def main() -> int:
    """Records, and says how large the file is."""
    parser = argparse.ArgumentParser(prog="docs.recording", description=__doc__)
    parser.add_argument("--home", help="folder of the collections (default: $SIMILE_HOME or the user's data)")
    parser.add_argument("--collection", default="WikiArt", help="title of the one that is shown")
    options = parser.parse_args()
    with running_demo(options.home) as (url, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=WEBGL_FLAGS)
        page = browser.new_context(viewport=WINDOW, color_scheme="light").new_page()  # type: ignore[arg-type]
        page.set_default_timeout(60_000)
        page.goto(url)
        page.locator(f".starts button:has-text('{options.collection}')").click()
        page.locator("#examples .card:not(.tiny)").first.wait_for()
        page.wait_for_timeout(1500)
        page.evaluate(_POINTER)
        recorder = Recorder(page)
        for step in STEPS:
            step(page, recorder)
        browser.close()
    seconds = sum(shown for _, shown in recorder.frames) / 1000
    size, colours = _write(recorder.frames)
    frames = len(recorder.frames)
    print(f"docs/{FILE.name}: {seconds:.0f} s, {frames} frames, {colours} colours, {size / 1e6:.1f} MB")
    return 0 if size <= MAX_BYTES else 1


def _search(page: Page, recorder: Recorder) -> None:
    recorder.watch(1.5)
    recorder.press(page.locator("#examples .open").nth(EXAMPLE), 2.2)
    recorder.press(page.locator("#search-hits .open").nth(2), 2.2)
    page.keyboard.press("ArrowRight")
    recorder.watch(1.4)
    page.keyboard.press("Escape")


def _box(page: Page, recorder: Recorder) -> None:
    frame = page.locator("#search-query .crop").bounding_box()
    assert frame is not None
    page.mouse.move(frame["x"] + 0.1 * frame["width"], frame["y"] + 0.45 * frame["height"], steps=3)
    page.mouse.down()
    page.mouse.move(frame["x"] + 0.85 * frame["width"], frame["y"] + 0.95 * frame["height"], steps=4)
    recorder.watch(0.4)
    page.mouse.up()
    recorder.watch(2.0)


def _map(page: Page, recorder: Recorder) -> None:
    recorder.press(page.get_by_role("tab", name="Map"), 2.6)


def _recommend(page: Page, recorder: Recorder) -> None:
    recorder.press(page.get_by_role("tab", name="Recommend"), 1.6)
    recorder.press(page.locator("#works-hits [data-action=like]").nth(1), 2.4)


STEPS: tuple[Callable[[Page, Recorder], None], ...] = (_search, _box, _map, _recommend)


def _write(frames: list[tuple[bytes, int]]) -> tuple[int, int]:
    """Bytes of the file, and colours of its frames."""
    shots = [Image.open(io.BytesIO(shot)).convert("RGB") for shot, _ in frames]
    height = round(WIDTH * WINDOW["height"] / WINDOW["width"])
    small = [shot.resize((WIDTH, height), Image.Resampling.LANCZOS) for shot in shots]
    for colours in COLOURS:
        plain = [one.quantize(colours, dither=Image.Dither.NONE) for one in small]
        durations = [shown for _, shown in frames]
        plain[0].save(
            FILE,
            save_all=True,
            append_images=plain[1:],
            duration=durations,
            loop=0,
            optimize=True,
            disposal=1,
        )
        if FILE.stat().st_size <= MAX_BYTES:
            break
    return FILE.stat().st_size, colours


if __name__ == "__main__":
    sys.exit(main())
