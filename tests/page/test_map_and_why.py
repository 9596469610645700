"""Map and Why in Chromium, as a person uses them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from page.components.map_files import pack
from pipeline.map import Map
from pipeline.map.map_file import MapField
from tests.page.conftest import LIMIT, status, upload

browsing = pytest.mark.browser
SIMILE = "document.querySelector('#map .stage').simile"


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Any]) -> Iterator[Any]:
    """With WebGL, which Chromium does without a GPU when asked to."""
    opened = launch("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
    yield opened
    opened.close()


def open_map(page: Any) -> Any:
    """The stage, once its points are drawn."""
    page.get_by_role("tab", name="Map").click()
    stage = page.locator(f"#map .stage[data-points='{LIMIT}']")
    stage.wait_for()
    return stage


def place_of(page: Any, point: int) -> tuple[float, float]:
    """Where a point is on the screen."""
    script = (
        f"(i) => {{ const {{ state, across, down }} = {SIMILE}; "
        "return [across(state.data.x[i]), down(state.data.y[i])]; }"
    )
    x, y = page.evaluate(script, point)
    box = page.locator("#map .stage").bounding_box()
    return box["x"] + x, box["y"] + y


def coloured(page: Any, canvas: str) -> int:
    """How many pixels of a screenshot of `canvas` are neither grey, black nor white."""
    import io

    import numpy as np
    from PIL import Image

    shot = np.asarray(Image.open(io.BytesIO(page.locator(canvas).screenshot())).convert("RGB")).astype(int)
    return int((shot.max(2) - shot.min(2) > 60).sum())


@pytest.mark.long
@browsing
def test_map_draws_points_and_a_click_searches_from_one(open_page: Any) -> None:
    page = open_page()
    open_map(page)
    assert coloured(page, "#map .stage") > LIMIT * 5  # dots of 7 px in the colours of styles
    page.wait_for_function(f"{SIMILE}.state.shown > 10")  # it opens with its pictures
    page.get_by_role("button", name="Pictures").click()
    page.wait_for_function(f"!{SIMILE}.state.shown")
    labels = page.locator("#map .legend button").all_inner_texts()
    assert sum(int(label.split()[-1].replace(",", "")) for label in labels) == LIMIT
    page.mouse.move(*place_of(page, 7))
    page.locator("#map .tip:not([hidden])").wait_for()
    page.mouse.click(*place_of(page, 7))
    status(page, "24 closest, ringed on the map", "#map-status")
    assert page.locator("#map-hits .card").count() == 24
    page.wait_for_function(f"{SIMILE}.state.facts.hits.length === 24")
    page.wait_for_function(f"{SIMILE}.state.facts.marker !== null")
    marker, x, y = page.evaluate(f"(s => [s.facts.marker, s.data.x[7], s.data.y[7]])({SIMILE}.state)")
    assert marker == pytest.approx([x, y], abs=1e-3)  # the query lies where it was clicked


@browsing
@pytest.mark.long
def test_pictures_appear_and_a_lasso_selects(open_page: Any) -> None:
    page = open_page()
    stage = open_map(page)
    page.get_by_role("button", name="Lasso").click()
    box = stage.bounding_box()
    left, top, right, bottom = (
        box["x"] + 4,
        box["y"] + 4,
        box["x"] + box["width"] - 4,
        box["y"] + box["height"] - 4,
    )
    page.mouse.move(left, top)
    page.mouse.down()
    for corner in ((right, top), (right, bottom), (left, bottom), (left, top + 8)):
        page.mouse.move(*corner, steps=6)
    page.mouse.up()
    status(page, f"36 of {LIMIT} pictures in the lasso", "#map-status")
    assert page.locator("#map-hits .card").count() == 36
    page.get_by_role("button", name="Search from 8 of these").click()
    status(page, "closest, ringed on the map", "#map-status")
    page.get_by_role("button", name="Show in Search").click()
    assert page.locator("#search-query img").count() == 8


@browsing
@pytest.mark.long
def test_labels_and_keys_do_what_the_mouse_does(open_page: Any) -> None:
    page = open_page()
    stage = open_map(page)
    label = page.locator("#map .legend button").last
    count = int(label.inner_text().split()[-1])
    label.focus()
    page.keyboard.press("Enter")
    page.locator("#map-hits .card").first.wait_for()
    assert page.locator("#map-hits .card").count() == min(36, count)
    assert page.evaluate(f"{SIMILE}.state.only") is not None
    # the others are faint, not gone
    page.wait_for_function(f"count => {SIMILE}.state.shown > count", arg=count)
    stage.focus()
    before = page.evaluate(f"{SIMILE}.across.domain()")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"was => {SIMILE}.across.domain()[0] > was[0] + 0.01", arg=before)
    back = page.get_by_role("button", name="Nothing is here: whole map")
    assert back.is_hidden()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)
        if back.is_visible():
            break
    back.click()
    back.wait_for(state="hidden")


@browsing
@pytest.mark.parametrize("width", [1400, pytest.param(390, marks=pytest.mark.long)])
def test_why_shows_two_heat_maps_and_the_bits(open_page: Any, picture: Any, width: int) -> None:
    page = open_page(width, 900)
    upload(page, picture)
    status(page, "cosine")
    page.locator("#search-hits .open").nth(2).click()
    page.get_by_role("button", name="Why?").click()
    for side in ("query", "hit"):
        canvas = page.locator(f"#why canvas.{side}")
        canvas.wait_for()
        pixels = canvas.evaluate(
            "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
        )
        assert max(pixels[3::4]) > 150  # alpha
    told = page.locator("#why .bits figcaption").inner_text()
    agree, _, bits = told.split(" bits agree")[0].partition(" of ")
    table = page.locator("#why tbody").inner_text()
    assert f"{int(bits) - int(agree)} bits" in table  # agreeing bits are all but the Hamming distance
    assert f"3 of {LIMIT}" in table  # the third hit by cosine has rank 3
    before = page.locator("#why canvas.hit").evaluate("c => c.toDataURL()")
    page.locator("#why canvas.query").hover(position={"x": 12, "y": 12})
    page.wait_for_function("was => document.querySelector('#why canvas.hit').toDataURL() !== was", arg=before)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_packed_map_is_what_the_script_reads() -> None:
    """12 bytes of head, then tiles, sample, x, y and labels, by hand."""
    import numpy as np

    labels = {"artist": MapField(["A", "B"], np.array([1, 0], np.uint16))}
    places = np.array([[-1, 0], [1, 1]], np.float32)
    made = Map(["a", "b"], places, labels, np.array([0, -1], np.int32), np.array([1], np.int32))
    words = [2, 1, 1, 0, 0xFFFFFFFF, 1]
    halves = [0, 65535, 32768, 65535, 1, 0]
    assert pack(made) == np.array(words, "<u4").tobytes() + np.array(halves, "<u2").tobytes()
