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
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from page.collection_library import CollectionLibrary
from page.login import is_logged_in
from page.rate_limit import RateLimit
from pipeline.errors import SimileError
from pipeline.images import MAX_BYTES
from pipeline.points import point_id
from pipeline.search import Collection
from pipeline.sources.extensions import PICTURES, kind_of
from pipeline.sources.walk import raw_name

__all__ = ["find_original", "original_route", "original_url"]

log = logging.getLogger("simile")
_PIECE = 2**20  # bytes
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600"}


def original_url(library: CollectionLibrary, collection: str, point: str, place: str) -> str | None:
    """Address of the original, relative to the page; None where they are not shown, or are no files."""
    is_file = kind_of(place.rpartition(":")[0]) in PICTURES
    return f"original/{collection}/{point}" if library.originals and is_file else None


def find_original(collection: Collection, point: str) -> BinaryIO | None:
    """The open file that a point was made from, at its beginning; None where it is gone or has changed.

    Raises:
        SimileError: there is no such point.
    """
    for path in _candidates(collection, point):
        try:
            if kind_of(path.name) not in PICTURES or path.stat().st_size > MAX_BYTES:
                continue
            file = path.open("rb")
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError):  # gone, or a name that this machine's files cannot have
            continue
        if point_id(collection.name, digest) == point:
            file.seek(0)
            return file
        file.close()
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


def original_route(library: CollectionLibrary, limit: RateLimit) -> Route:
    """The route; where visitors have to log in, it asks for their login. Each file counts as a search."""

    def answer(request: Request) -> Response:
        if not is_logged_in(request):
            return Response("Not authenticated", 401)
        try:
            limit.admit(request.client.host if request.client else None, None, caller="file")
        except SimileError as error:
            return Response(str(error), 429)
        try:
            found = find_original(
                library.open(request.path_params["collection"]), request.path_params["point"]
            )
        except SimileError as error:
            log.info("original: %s", error)
            found = None
        if found is None:
            return Response("The original is not here any more.", 404)
        kind = mimetypes.guess_type(f"x.{kind_of(found.name)}")[0] or "application/octet-stream"
        return StreamingResponse(_pieces(found), media_type=kind, headers=_HEADERS)

    return Route("/original/{collection}/{point}", answer, methods=["GET"])


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """A file of 100 MB is not held in memory for a visitor who takes an hour to fetch it."""
    with file:
        while piece := file.read(_PIECE):
            yield piece
