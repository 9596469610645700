"""The Search tab in Chromium, as a person uses it."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.page.conftest import LIMIT, hit_pictures, status, upload

pytestmark = pytest.mark.browser


def test_upload_look_closer_and_go_on_from_a_hit(open_page: Any, picture: Path) -> None:
    page = open_page()
    upload(page, picture)
    status(page, f"24 closest of {LIMIT} pictures")
    status(page, "cosine · approximate")
    first = hit_pictures(page)
    assert len(first) == 24 and page.locator("#examples").is_hidden()
    assert "wikiart" not in page.locator("#search-hits .about").first.inner_text()
    page.locator("#search-hits .open").nth(2).click()
    dialog = page.get_by_role("dialog", name="Larger view")
    dialog.get_by_text("Artist", exact=True).wait_for()
    assert "WikiArt" in dialog.locator(".credit").inner_text()
    shown = dialog.locator("img[data-id]").get_attribute("src")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "was => document.querySelector('dialog img').getAttribute('src') !== was", arg=shown
    )
    assert dialog.locator("img[data-id]").get_attribute("src") == first[3]
    dialog.get_by_role("button", name="Search from this").click()
    dialog.wait_for(state="hidden")
    page.wait_for_function(
        "was => document.querySelector('#search-hits img').getAttribute('src') !== was", arg=first[0]
    )
    assert first[3] not in hit_pictures(page), "a picture is not its own hit"
    assert "embed" not in page.locator("#status").inner_text()


@pytest.mark.long
def test_a_box_searches_with_a_part(open_page: Any, tmp_path: Path) -> None:
    """Left half a painting of the collection, right half flat grey: the box brings it to the top."""
    page = open_page()
    address = hit_pictures(page, "#examples")[3]
    stored = page.request.get(f"{page.url.split('?')[0]}{address}").body()
    painting = Image.open(io.BytesIO(stored)).convert("RGB").resize((200, 200))
    both = Image.new("RGB", (400, 200), (128, 128, 128))
    both.paste(painting, (0, 0))
    path = tmp_path / "both.png"
    both.save(path)
    upload(page, path)
    status(page, "cosine")
    whole = hit_pictures(page)
    score_of_whole = float(page.locator("#search-hits .score").first.inner_text())
    area = page.locator("#search-query .crop")
    frame = area.bounding_box()
    x, y, width, height = frame["x"], frame["y"], frame["width"], frame["height"]
    page.mouse.move(x + 2, y + 2)
    page.mouse.down()
    page.mouse.move(x + width / 4, y + height / 2, steps=4)
    page.mouse.move(x + width / 2, y + height - 2, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Use the whole picture").wait_for()
    page.wait_for_function(
        "was => parseFloat(document.querySelector('#search-hits .score').innerText) > was + 0.1",
        arg=score_of_whole,
    )
    page.locator(f"#search-hits .card:first-child img[src='{address}']").wait_for()
    page.get_by_role("button", name="Use the whole picture").click()
    page.wait_for_function(
        "was => document.querySelector('#search-hits img').getAttribute('src') === was", arg=whole[0]
    )
    area.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Use the whole picture").wait_for()
    page.keyboard.press("Escape")


@pytest.mark.long
def test_a_finger_draws_a_box(open_page: Any, picture: Path) -> None:
    page = open_page(390, 844, has_touch=True, is_mobile=True)
    upload(page, picture)
    status(page, "cosine")
    area = page.locator("#search-query .crop")
    area.scroll_into_view_if_needed()
    frame = area.bounding_box()
    touch = page.context.new_cdp_session(page)
    corners = [
        (frame["x"] + 5, frame["y"] + 5),
        (frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2),
    ]
    (x0, y0), (x1, y1) = corners
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x0, "y": y0}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x1, "y": y1}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.get_by_role("button", name="Use the whole picture").wait_for()


def test_likes_and_dislikes_move_the_hits(open_page: Any) -> None:
    page = open_page()
    page.locator("#examples .open").nth(1).click()
    status(page, "cosine")
    before = hit_pictures(page)
    page.locator("#search-hits .card").nth(5).hover()
    page.locator("#search-hits [data-action=like]").nth(5).click()
    page.locator("#search-query .chips.like img").wait_for()
    page.locator("#search-hits .reason", has_text="like ").first.wait_for()
    liked = hit_pictures(page)
    assert liked.index(before[5]) == 0, "what is liked stays"
    page.locator("#search-hits .card").nth(1).hover()
    page.locator("#search-hits [data-action=dislike]").nth(1).click()
    page.locator("#search-query .chips.dislike img").wait_for()
    page.locator("#search-hits .reason", has_text="not like").first.wait_for()
    assert liked[1] not in hit_pictures(page)
    page.locator("#search-query .chips.like .away").first.click()
    page.locator("#search-query .chips.like").wait_for(state="hidden")
    page.get_by_role("button", name="New search").click()
    page.locator("#examples .card").first.wait_for()
    assert page.locator("#search-hits .card").count() == 0


def test_settings_and_filters_search_again(open_page: Any) -> None:
    page = open_page()
    page.locator("#examples .open").nth(1).click()
    status(page, "cosine · approximate")
    page.get_by_text("More options").click()
    page.locator("#metric").get_by_text("Hamming").click()
    status(page, "Hamming · approximate")
    assert "bit" in page.locator("#search-hits .score").first.inner_text()
    page.locator("#exact input").click()
    status(page, "Hamming · exact")
    page.get_by_role("button", name="Filters").click()
    page.locator("#filters input").first.click()
    option = page.get_by_role("option").first
    count = int(option.inner_text().rsplit("(", 1)[1].rstrip(") \n"))
    option.click()
    page.locator("#status", has_not_text="24 closest").wait_for()
    assert count - 1 <= page.locator("#search-hits .card").count() <= count
    other = page.locator("#filters input").nth(1)
    other.click()
    page.wait_for_function(
        """count => [...document.querySelectorAll('[role=option]')]
        .map(one => Number(one.innerText.split('(').pop().replace(/\\D/g, '')))
        .reduce((a, b) => a + b, 0) === count""",
        arg=count,
    )  # counts of one box follow what is chosen in another


@pytest.mark.long
def test_three_ways_side_by_side(open_page: Any) -> None:
    page = open_page()
    page.locator("#examples .open").nth(1).click()
    status(page, "cosine")
    page.get_by_text("More options").click()
    page.locator("#beside input").click()
    status(page, "three ways · cosine and Hamming share")
    assert page.locator("#search-hits .column h2").all_inner_texts() == ["Cosine", "Hamming", "Exact cosine"]
    figures = page.locator("#search-hits .column > .status").all_inner_texts()
    assert "ms" in figures[0] and "of 24 as exact cosine" in figures[1]
    assert page.locator("#search-hits .card").count() == 72
    page.locator("#search-hits .column").nth(2).locator(".open").first.click()
    page.get_by_role("dialog", name="Larger view").get_by_text("Artist", exact=True).wait_for()


@pytest.mark.long
def test_more_results_then_exported(open_page: Any) -> None:
    page = open_page()
    page.locator("#examples .open").first.click()
    status(page, "24 closest")
    page.locator("#more").click()
    status(page, "48 closest")
    pictures = hit_pictures(page)
    assert len(pictures) == len(set(pictures)) == 48
    page.locator("#export").click()
    page.locator("#files a").first.wait_for()
    made = {}
    for link in page.locator("#files a[download]").all():
        with page.expect_download() as download:
            link.click()
        made[Path(download.value.suggested_filename).suffix] = Path(download.value.path()).read_bytes()
    rows = list(csv.DictReader(io.StringIO(made[".csv"].decode("utf-8-sig"))))
    hits = json.loads(made[".json"])["hits"]
    assert [row["rank"] for row in rows] == [str(i) for i in range(1, 49)]
    assert [row["id"] for row in rows] == [hit["id"] for hit in hits] and hits[0]["artist"] == rows[0][
        "artist"
    ]
    assert Image.open(io.BytesIO(made[".jpg"])).width > 1000


def test_bad_picture_is_one_sentence_and_the_next_one_works(
    open_page: Any, picture: Path, tmp_path: Path
) -> None:
    page = open_page(collection="")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not a picture at all")
    upload(page, bad)
    page.get_by_text("isn't a picture we can open").wait_for()
    bad.write_bytes(picture.read_bytes()[:400])
    upload(page, bad)
    status(page, "copy or download it again")
    upload(page, picture)
    status(page, "cosine")
    page.get_by_role("button", name="Add a picture").click()
    upload(page, picture.parent / "other.jpg")
    page.locator("#search-query .chips.like img").wait_for()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_phone_has_no_sideways_scroll(open_page: Any, scheme: str) -> None:
    page = open_page(390, 844, scheme)
    page.locator("#examples .open").first.click()
    status(page, "cosine")
    page.evaluate("scrollTo(0, 0)")
    first = page.locator("#search-hits .card").first.bounding_box()
    assert first["y"] < 540 and first["y"] + first["height"] < 844, (
        "the first hits are seen without scrolling"
    )
    page.locator("#search-hits .open").first.click()
    page.get_by_role("button", name="Search from this").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shown, facts = (
        page.locator(f"dialog[open] {part}").bounding_box() for part in ("img[data-id]", ".facts")
    )
    assert facts["y"] >= shown["y"] + shown["height"] - 1, "the facts are below the picture"
    assert page.locator(".main.app").evaluate("one => getComputedStyle(one).paddingLeft") == "12px"


def test_a_keyboard_is_enough(open_page: Any) -> None:
    page = open_page(collection="")
    page.locator("#examples .open").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    status(page, "cosine")
    first = page.locator("#search-hits .open").first
    first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Larger view").wait_for()
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Larger view").wait_for(state="hidden")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Larger view").wait_for()


@pytest.mark.long
def test_where_the_keyboard_is_can_be_seen(open_page: Any) -> None:
    page = open_page()
    page.locator("#examples .open").first.click()
    status(page, "cosine")
    page.get_by_role("button", name="Filters").click()
    page.get_by_text("More options").first.click()
    page.locator("#tab-search-button").focus()
    unseen, names = [], set()
    for _ in range(40):
        page.keyboard.press("Tab")
        name, outlined = page.evaluate(
            """() => {
              const now = document.activeElement, around = [now];
              while (around.length < 4) around.push(around.at(-1).parentElement ?? document.body);
              const style = around.map(one => getComputedStyle(one).outlineStyle);
              return [now.type || now.className || now.tagName, style.some(one => one !== 'none')];
            }"""
        )
        names.add(name)
        if not outlined and name != "BODY":
            unseen.append(name)
    assert {"radio", "checkbox", "range", "number", "button", "crop"} <= names
    assert unseen == []


@pytest.mark.long
def test_everything_that_can_be_pressed_has_a_name(open_page: Any) -> None:
    page = open_page(collection="")
    page.locator("#examples .open").first.click()
    status(page, "cosine")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, [role=tab], [tabindex="0"]')]
        .filter(one => one.offsetParent && !(one.textContent || '').trim() && !one.getAttribute('aria-label')
          && !one.getAttribute('title') && !(one.labels && one.labels.length)
          && !one.getAttribute('aria-labelledby') && one.type !== 'file')
        .map(one => one.outerHTML.slice(0, 160))"""
    )
    assert nameless == []
