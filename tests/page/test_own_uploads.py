"""An upload may stand in an address: its owner finds it again, and others once it was shared."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from page.own_uploads import OWNER_COOKIE, OwnUploads
from tests.images.made_images import encoded

PNG = encoded(Image.new("RGB", (8, 8), "red"), "PNG")


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    file = tmp_path / "uploads/a-name-that-nobody-guesses/picture.png"
    file.parent.mkdir(parents=True)
    file.write_bytes(PNG)
    return file


def test_only_its_owner_finds_an_upload_until_it_is_shared(upload: Path) -> None:
    uploads = OwnUploads(seconds=100, clock=lambda: 1_000_000.0)
    uploads.add(upload, "anna")
    reference = uploads.reference(str(upload)) or ""
    assert reference and "a-name" not in reference, "the address does not tell where the file is"
    assert uploads.find(reference, "anna") == upload
    assert uploads.find(reference, "bob") is uploads.find(reference, None) is None
    assert uploads.find("0" * 32, "anna") is None
    assert uploads.share(reference) == datetime.fromtimestamp(1_000_100, UTC)
    assert uploads.find(reference, "bob") == uploads.find(reference, None) == upload
    upload.unlink()
    assert uploads.find(reference, "anna") is None, "the disk budget has deleted it"
    assert uploads.share("0" * 32) is None and uploads.reference("/etc/passwd") is None


def test_a_browser_is_told_once_who_it_is(strangers: Any) -> None:
    client, page = strangers()
    sent = client.post("/gradio_api/upload", files=[("files", ("a.png", PNG))])
    cookie = sent.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and cookie.startswith(OWNER_COOKIE)
    owner = client.cookies[OWNER_COOKIE]
    second = client.post("/gradio_api/upload", files=[("files", ("b.png", PNG))]).json()[0]
    assert client.cookies[OWNER_COOKIE] == owner, "a second upload is of the same owner"
    reference = page.own_uploads.reference(second)
    assert page.own_uploads.find(reference, owner) == Path(second)
