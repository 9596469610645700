"""GET /picture/COLLECTION/ID: the thumbnail of a stored picture, which a browser keeps for good.

The id of a point is a hash of the picture's bytes, so what an address stands for never changes. A visitor
names a point, never a path.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from page.collection_library import CollectionLibrary
from page.hit_pictures import HitPicture
from page.login import is_logged_in
from pipeline.errors import SimileError

__all__ = ["picture_route"]

_FOR_GOOD = "private, max-age=31536000, immutable"  # seconds of a year; private: a login may be needed
_SHOWN = {"image/jpeg", "image/png", "image/webp", "image/gif"}


def picture_route(library: CollectionLibrary) -> Route:
    """The route; where visitors have to log in, it asks for their login."""

    async def answer(request: Request) -> Response:
        if not is_logged_in(request):
            return Response("Not authenticated", 401)
        collection, point = request.path_params["collection"], request.path_params["point"]
        found = library.pictures.kept(collection, point)
        try:
            found = found or await run_in_threadpool(_read, library, collection, point)
        except SimileError as error:
            return Response(str(error), 404)
        if found is None or found.kind not in _SHOWN:
            return Response("There is no such picture.", 404)
        return Response(found.data, media_type=found.kind, headers={"Cache-Control": _FOR_GOOD})

    return Route("/picture/{collection}/{point}", answer, methods=["GET", "HEAD"])


def _read(library: CollectionLibrary, collection: str, point: str) -> HitPicture | None:
    return library.pictures.read(library.open(collection), point)
