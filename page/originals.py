"""GET /original/COLLECTION/ID: the file that a picture was indexed from, where `--allow-originals` allows it.

A visitor names a point, never a path. A file is sent only if its bytes are those that the point's id is the
hash of: whatever the places of a point say, no other file of this machine can be had.
"""

from __future__ import annotations

import hashlib
import logging
import mimetypes
from collections.abc import Iterator
from pathlib import Path, PurePath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from page.collection_library import CollectionLibrary
from pipeline.errors import SimileError
from pipeline.images import MAX_BYTES
from pipeline.points import point_id
from pipeline.search import Collection
from pipeline.sources.extensions import PICTURES, kind_of
from pipeline.sources.walk import raw_name

__all__ = ["find_original", "original_route", "original_url"]

log = logging.getLogger("simile")
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600"}


def original_url(library: CollectionLibrary, collection: str, point: str, place: str) -> str | None:
    """Address of the original, relative to the page; None where they are not shown, or are no files."""
    is_file = kind_of(place.rpartition(":")[0]) in PICTURES
    return f"original/{collection}/{point}" if library.originals and is_file else None


def find_original(collection: Collection, point: str) -> tuple[str, bytes] | None:
    """Name and bytes of the file that a point was made from; None where it is gone or has changed.

    Raises:
        SimileError: there is no such point.
    """
    for file in _candidates(collection, point):
        try:
            if kind_of(file.name) not in PICTURES or file.stat().st_size > MAX_BYTES:
                continue
            data = file.read_bytes()
        except (OSError, ValueError):  # gone, or a name that this machine's files cannot have
            continue
        if point_id(collection.name, hashlib.sha256(data).hexdigest()) == point:
            return file.name, data
    return None


def _candidates(collection: Collection, point: str) -> Iterator[Path]:
    """Where the file may be: each place of the point below each folder that was indexed."""
    manifest = collection.manifest
    roots = [Path(source) for source in (manifest.source, *manifest.added) if PurePath(source).is_absolute()]
    for place in collection.get(point).places:
        path = place.rpartition(":")[0]
        for root in roots:
            yield root / path
            if raw_name(path) != path:
                yield root / raw_name(path)


def original_route(library: CollectionLibrary) -> Route:
    """The route; where visitors have to log in, it asks for their login as Gradio does."""

    def answer(request: Request) -> Response:
        app = request.app  # Gradio's
        names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
        if app.auth is not None and not any(request.cookies.get(name) in app.tokens for name in names):
            return Response("Not authenticated", 401)
        try:
            found = find_original(
                library.open(request.path_params["collection"]), request.path_params["point"]
            )
        except SimileError as error:
            log.info("original: %s", error)
            found = None
        if found is None:
            return Response("The original is not here any more.", 404)
        name, data = found
        kind = mimetypes.guess_type(f"x.{kind_of(name)}")[0] or "application/octet-stream"
        return Response(data, media_type=kind, headers=_HEADERS)

    return Route("/original/{collection}/{point}", answer, methods=["GET"])
