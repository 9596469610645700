"""A part of the picture by handles, by dots and by keys; several files at once, and files without a kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from page.collection_library import CollectionLibrary
from page.components.suggested_parts import SuggestedParts
from page.query_bytes import bytes_of
from page.shared_state import Query, QueryPicture
from page.wording import readable
from pipeline.why.regions import peaks
from tests.page.conftest import status, upload


def test_the_warm_spots_of_a_map_become_boxes() -> None:
    heat = np.zeros((10, 10), np.float32)
    heat[1:4, 1:4], heat[6:9, 5:9], heat[0, 9] = 1.0, 0.8, 0.3
    assert peaks(heat) == [
        pytest.approx((0.1, 0.1, 0.4, 0.4)),
        pytest.approx((0.5, 0.6, 0.9, 0.9)),
    ], "what is less than half as warm is no spot"
    heat[0, 9] = 0.9
    assert peaks(heat)[1] == pytest.approx((0.8, 0.0, 1.0, 0.2)), (
        "a part has pixels enough to be searched with"
    )
    assert peaks(np.ones((5, 5))) == [] == peaks(np.eye(1)), "where all is warm, nothing stands out"


def test_parts_are_suggested_of_the_first_picture_only(
    demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    parts = SuggestedParts(CollectionLibrary(str(demo_home)))
    library = CollectionLibrary(str(demo_home))
    stored = library.open("wikiart").examples(1)[0]
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes_of(QueryPicture(point_id=stored.id, collection="wikiart"), library))
    own = QueryPicture(str(path))
    said = parts.of(Query((own,)), "wikiart")
    assert '"boxes": [[' in said and str(path.name) in said and parts.of(Query((own,)), "wikiart") == said
    assert parts.of(Query((QueryPicture(str(path), box=(0, 0, 1, 1)),)), "wikiart") == ""
    waiting = SuggestedParts(CollectionLibrary(str(demo_home)), lambda: True)
    assert '"boxes": []' in waiting.of(Query((own,)), "wikiart"), "others wait for their searches"
    of_stored = parts.of(Query((QueryPicture(point_id=stored.id, collection="wikiart"),)), "wikiart")
    assert f"picture/wikiart/{stored.id}" in of_stored, "a stored picture has no file"
    assert parts.of(Query(text="boats"), "wikiart") == parts.of(None, "wikiart") == ""


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Shares of the picture's sides."""
    frame = page.locator("#search-query .crop").bounding_box()
    (x0, y0), (x1, y1) = (
        (frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in (start, end)
    )
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=5)
    page.mouse.up()


def box_is(page: Any, *sides: float) -> None:
    page.wait_for_function(
        "wanted => { const area = document.querySelector('#search-query .crop');"
        "const box = JSON.parse(area?.dataset.box || 'null'); return box"
        " && box.every((side, i) => Math.abs(side - wanted[i]) < 0.03)"
        " && location.search.includes('~'); }",
        arg=list(sides),
    )


@pytest.mark.browser
@pytest.mark.long
def test_a_box_is_drawn_moved_resized_and_taken_away(open_page: Any) -> None:
    page = open_page()
    page.locator("#examples .open").nth(1).click()
    status(page, "24 closest")
    drag(page, (0.1, 0.1), (0.5, 0.5))
    box_is(page, 0.1, 0.1, 0.5, 0.5)
    drag(page, (0.3, 0.3), (0.6, 0.4))
    box_is(page, 0.4, 0.2, 0.8, 0.6)
    drag(page, (0.8, 0.6), (0.9, 0.9))
    box_is(page, 0.4, 0.2, 0.9, 0.9)
    page.locator("#search-query .crop").focus()
    page.keyboard.press("ArrowLeft")
    box_is(page, 0.35, 0.2, 0.85, 0.9)
    page.keyboard.press("Shift+ArrowUp")  # the focus stays, though the picture was drawn anew
    box_is(page, 0.35, 0.2, 0.85, 0.85)
    drag(page, (0.1, 0.1), (0.1, 0.1))
    page.wait_for_function("!location.search.includes('~')")
    spot = page.locator("#search-query .spot").first
    spot.wait_for()
    spot.click()
    page.get_by_role("button", name="Use the whole picture").wait_for()


@pytest.mark.browser
@pytest.mark.long
def test_several_files_are_one_query_and_a_heic_is_a_picture(
    open_page: Any, picture: Path, tmp_path: Path
) -> None:
    page = open_page()
    heic = tmp_path / "phone.heic"
    pillow_heif.from_pillow(Image.open(picture).convert("RGB")).save(heic)
    files = [str(picture), str(picture.with_name("other.jpg")), str(heic)]
    page.locator("#search-drop input[type=file]").set_input_files(files)
    page.wait_for_function("document.querySelectorAll('#search-query img').length === 3")
    status(page, "24 closest")
    page.get_by_role("button", name="New search").click()
    page.locator("#examples .card").first.wait_for()
    page.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "IMG_1.HEIC"));
            const drop = { bubbles: true, cancelable: true, dataTransfer: data };
            document.querySelector("#search-drop").dispatchEvent(new DragEvent("drop", drop));
        }""",
        list(heic.read_bytes()),
    )
    status(page, "24 closest")
    page.wait_for_function("document.querySelector('#search-query img')?.naturalWidth > 0")


@pytest.mark.browser
@pytest.mark.long
def test_the_box_for_words_completes_the_last_one(open_page: Any, picture: Path, demo_home: Path) -> None:
    page = open_page()
    style = readable(CollectionLibrary(str(demo_home)).open("wikiart").facets("style")[0][0])
    field = page.locator("#words input")
    field.press_sequentially(f"a portrait {style[:4].lower()}")
    offered = page.locator("#word-list option").evaluate_all("all => all.map(one => one.value)")
    assert f"a portrait {style}" in offered and all(one.startswith("a portrait ") for one in offered)
    upload(page, picture)
    status(page, "24 closest")
    field.fill(style)
    field.press("Enter")
    page.locator("#search-query .words", has_text=style).wait_for()
    page.locator("#search-hits .reason", has_text="like all 2").first.wait_for()
