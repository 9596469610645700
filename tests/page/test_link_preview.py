"""A link in a message shows Simile's own title and picture."""

import io
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from page.collection_library import CollectionLibrary
from page.link_preview import LinkPreview, preview_route, with_preview

GRADIO = """<html><head><meta property="og:title" content="Gradio" />
<meta
  property="og:image"
  content="https://raw.githubusercontent.com/x.jpg"
/><meta name="twitter:creator" content="@Gradio" /><meta name="viewport" content="width=1" />
</head><body></body></html>"""


def test_gradios_tags_give_way_to_our_own() -> None:
    app = Starlette(
        routes=[Route("/", lambda _: HTMLResponse(GRADIO)), Route("/x", lambda _: HTMLResponse(GRADIO))],
        middleware=[Middleware(LinkPreview)],
    )
    client = TestClient(app, base_url="http://127.0.0.1:7860")
    html = client.get("/").text
    assert html.count('property="og:title"') == html.count('property="og:image"') == 1
    assert '<meta property="og:title" content="Simile: images that look like an image">' in html
    assert '<meta property="og:image" content="http://127.0.0.1:7860/preview.jpg">' in html
    assert "@Gradio" not in html and "raw.githubusercontent.com" not in html and "viewport" in html
    behind = client.get("/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "simile.example.org"})
    assert 'content="https://simile.example.org/preview.jpg"' in behind.text
    assert client.get("/x").text == GRADIO, "only the page itself is changed"
    assert with_preview(b"<head></head>", 'x"><b>').count(b"<b>") == 0


def test_there_is_no_preview_without_a_collection(strangers: Any) -> None:
    client, _ = strangers()
    assert client.get("/preview.jpg").status_code == 404


def test_the_preview_shows_pictures_of_the_first_collection(demo_home: Path) -> None:
    app = Starlette(routes=[preview_route(CollectionLibrary(str(demo_home)))])
    app.auth = None  # type: ignore[attr-defined]
    answer = TestClient(app).get("/preview.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).width > 1000
