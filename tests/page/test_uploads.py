"""What becomes of visitors' files: bounds of bytes and pixels, what browsers cannot show, and their end."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from page.app import build
from page.collection_library import CollectionLibrary
from page.disk_budget import Allowance, DiskBudget
from page.serving import app_options
from tests.page.conftest import free_port, hit_pictures, running, status, upload


@pytest.mark.browser
def test_too_many_pixels_or_bytes_are_one_sentence_and_the_next_one_works(
    open_page: Any, picture: Path, tmp_path: Path
) -> None:
    page = open_page()
    wide = tmp_path / "wide.png"
    Image.new("1", (12_000, 10_000)).save(wide)
    upload(page, wide)
    status(page, "12000 × 10000 pixels and the limit is 25 megapixels")
    heavy = tmp_path / "heavy.bmp"
    Image.new("RGB", (3_000, 2_500)).save(heavy)
    assert heavy.stat().st_size > 20_000_000
    upload(page, heavy)
    page.get_by_text("maximum allowed size").first.wait_for()
    assert not hit_pictures(page)
    upload(page, picture)
    status(page, "cosine")


@pytest.mark.browser
@pytest.mark.long
def test_a_tiff_is_seen_in_the_panel(open_page: Any, picture: Path, tmp_path: Path) -> None:
    page = open_page()
    path = tmp_path / "painting.tif"
    with Image.open(picture) as painting:
        painting.save(path)
    upload(page, path)
    status(page, "cosine")
    page.wait_for_function("document.querySelector('#search-query .crop img').naturalWidth > 0")
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function("document.querySelector('#compare-query img')?.naturalWidth > 0")


def uploads_in(folder: Path, picture: Path) -> list[Path]:
    data = picture.read_bytes()
    return [path for path in folder.rglob("*") if path.is_file() and path.read_bytes() == data]


def test_an_upload_is_deleted_once_it_is_old(
    demo_home: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day is three seconds here."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    library = CollectionLibrary(str(demo_home))
    page = build(library)
    disk = DiskBudget(tmp_path, Allowance(seconds=3))
    kwargs = app_options(page, library, disk=disk, sweep_every=1)
    port = free_port()
    page.launch(server_port=port, prevent_thread_lock=True, quiet=True, ssr_mode=False, app_kwargs=kwargs)
    try:
        with picture.open("rb") as file:
            sent = httpx.post(f"http://127.0.0.1:{port}/gradio_api/upload", files={"files": file}).json()
        assert uploads_in(tmp_path, picture) == [Path(sent[0])]
        end = time.monotonic() + 120
        while uploads_in(tmp_path, picture) and time.monotonic() < end:
            time.sleep(0.2)
        assert uploads_in(tmp_path, picture) == []
    finally:
        page.close(verbose=False)


@pytest.mark.long
def test_uploads_end_with_the_page(
    demo_home: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running("--home", str(demo_home)) as url:
        client = Client(url, verbose=False, httpx_kwargs={"timeout": 120})
        client.predict(handle_file(picture), "wikiart", k=1, api_name="/search")
        assert uploads_in(tmp_path, picture), "while the page runs it is there"
    assert uploads_in(tmp_path, picture) == [] and not list(tmp_path.glob("simile-*"))
