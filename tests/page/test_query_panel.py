"""Every way for a picture to come in, in Chromium: dropped, pasted, taken by a camera."""

import base64
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.page.conftest import LIMIT, hit_pictures, status, upload

pytestmark = pytest.mark.browser

# An event of a kind with a file, at a place of the page.
SEND = """([kind, place, data, type]) => {
    const files = new DataTransfer();
    files.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], "picture", { type }));
    const init = { bubbles: true, cancelable: true };
    const event = kind === "paste"
        ? new ClipboardEvent("paste", { ...init, clipboardData: files })
        : new DragEvent("drop", { ...init, dataTransfer: files });
    document.querySelector(place).dispatchEvent(event);
}"""


def send(page: Any, kind: str, place: str, picture: Path) -> None:
    data = base64.b64encode(picture.read_bytes()).decode()
    page.evaluate(SEND, [kind, place, data, f"image/{picture.suffix[1:]}"])


def hits_of(page: Any) -> list[str]:
    status(page, f"24 closest of {LIMIT} pictures")
    return hit_pictures(page)


def changed(page: Any, before: list[str]) -> None:
    page.wait_for_function(
        "was => { const now = document.querySelector('#search-hits img'); return now && now.src && "
        "now.getAttribute('src') !== was }",
        arg=before[0],
    )


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("drop", "#search-drop"),
        pytest.param("drop", "body", marks=pytest.mark.long),
        pytest.param("paste", "#search-drop", marks=pytest.mark.long),
        pytest.param("paste", "body", marks=pytest.mark.long),
    ],
)
def test_a_picture_comes_in_anywhere_also_after_another(
    open_page: Any, picture: Path, kind: str, place: str
) -> None:
    page = open_page()
    send(page, kind, place, picture)
    mine = hits_of(page)
    page.locator("#search-hits .open").nth(2).click()
    page.get_by_role("button", name="Search from this").click()
    changed(page, mine)
    others = hit_pictures(page)
    send(page, kind, "body", picture)
    changed(page, others)
    assert hits_of(page) == mine


@pytest.mark.long
def test_the_clipboard_button_pastes(open_page: Any, picture: Path, tmp_path: Path) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    copied = tmp_path / "copied.png"  # clipboards hold nothing else
    Image.open(picture).save(copied)
    upload(page, copied)
    mine = hits_of(page)
    page.get_by_role("button", name="New search").click()
    page.locator("#examples .card").first.wait_for()
    page.evaluate(
        """async data => navigator.clipboard.write([
            new ClipboardItem({ "image/png": await (await fetch(data)).blob() })])""",
        f"data:image/png;base64,{base64.b64encode(copied.read_bytes()).decode()}",
    )
    page.locator("#search-drop").get_by_label("Paste from clipboard").click()
    assert hits_of(page) == mine


@pytest.mark.long
def test_a_camera_takes_a_picture(open_page: Any) -> None:
    page = open_page(permissions=["camera"])
    page.locator("#search-drop").get_by_label("Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#search-drop video')?.readyState >= 2")
    page.locator("#search-drop").get_by_label("capture photo").click()
    assert len(hits_of(page)) == 24


@pytest.mark.long
@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_an_address_is_answered_with_what_to_do(open_page: Any, kind: str) -> None:
    page = open_page()
    page.evaluate(
        """kind => {
            const data = new DataTransfer();
            data.setData("text/uri-list", "https://example.com/cat.jpg");
            data.setData("text/plain", "https://example.com/cat.jpg");
            const init = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(kind === "paste"
                ? new ClipboardEvent("paste", { ...init, clipboardData: data })
                : new DragEvent("drop", { ...init, dataTransfer: data }));
        }""",
        kind,
    )
    page.get_by_text("Save the picture and drop the file here").wait_for()
    assert not page.locator("#search-hits .card").count()
