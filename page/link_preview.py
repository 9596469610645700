"""What a message shows of a link to this page: Simile's own title, sentence and picture, not Gradio's."""

import re
from html import escape
from typing import Any

from cachetools import LRUCache, cached
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from page.collection_library import CollectionLibrary
from page.login import is_logged_in
from pipeline.errors import SimileError
from pipeline.search import Collection
from pipeline.search.contact_sheet import contact_sheet

__all__ = ["PREVIEW", "LinkPreview", "preview_route", "with_preview"]

PREVIEW = "preview.jpg"
TITLE = "Simile: images that look like an image"
SENTENCE = "Drop in a picture and see the ones that look like it."
_PICTURES = 12  # of the first collection
_FOREIGN = re.compile(rb'<meta\s+(?:property="og:|name="twitter:)[^>]*>')
_HEAD = b"</head>"


def with_preview(body: bytes, address: str) -> bytes:
    """The page's HTML with Simile's own tags in the place of Gradio's.

    Args:
        address: of the page, with a slash at its end: a preview's picture needs a whole address.
    """
    tags = {
        "og:type": "website",
        "og:title": TITLE,
        "og:description": SENTENCE,
        "og:url": address,
        "og:image": address + PREVIEW,
    }
    own = "".join(f'<meta property="{name}" content="{escape(said)}">' for name, said in tags.items())
    own += '<meta name="twitter:card" content="summary_large_image">'
    return _FOREIGN.sub(b"", body).replace(_HEAD, own.encode() + _HEAD, 1)


class LinkPreview:
    """ASGI middleware that changes the tags of the page itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on, the page with its own tags."""
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) not in ("", "/"):
            await self._app(scope, receive, send)
            return
        address, body = _address(scope), b""

        async def changed(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                length = (b"content-length", b"Content-Length")
                message["headers"] = [pair for pair in message["headers"] if pair[0] not in length]
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                message = {"type": "http.response.body", "body": with_preview(body, address)}
            await send(message)

        await self._app(scope, receive, changed)


def _address(scope: Scope) -> str:
    """The page's own address as the visitor wrote it; the host was checked before."""
    headers = Headers(scope=scope)
    scheme = headers.get("x-forwarded-proto", scope.get("scheme", "http")).split(",")[0].strip()
    host = headers.get("x-forwarded-host", headers.get("host", "")).split(",")[0].strip()
    return f"{'https' if scheme == 'https' else 'http'}://{host}{scope.get('root_path', '')}/"


def preview_route(library: CollectionLibrary) -> Route:
    """GET /preview.jpg: pictures of the first collection; nothing where visitors have to log in."""

    def answer(request: Request) -> Response:
        data = _preview(library) if is_logged_in(request) else None
        if data is None:
            return Response("There is no preview.", 404)
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "public, max-age=3600"})

    return Route(f"/{PREVIEW}", answer, methods=["GET", "HEAD"])


def _preview(library: CollectionLibrary) -> bytes | None:
    try:
        first = next((name for _, name in library.titles()), None)
        return _sheet(library.open(first)) if first else None
    except SimileError:
        return None


def _key(found: Collection) -> Any:
    return found.version


@cached(LRUCache(4), key=_key)
def _sheet(found: Collection) -> bytes:
    hits = found.examples(_PICTURES)
    return contact_sheet([hit.thumbnail for hit in hits], [""] * len(hits))
