"""GET /health: whether this page can answer a search, for whatever watches or balances it. Needs no login."""

import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from page.collection_library import CollectionLibrary
from pipeline.errors import SimileError

__all__ = ["health", "health_route"]

log = logging.getLogger("simile")


def health(library: CollectionLibrary) -> tuple[int, dict[str, Any]]:
    """HTTP status and answer: 200 while any collection can be searched, else 503.

    `status` is `ok`, `degraded` (a collection cannot be opened; its version is null), `empty` or `failed`.
    Reasons go to the log: they may name paths and addresses, and anyone may ask.
    """
    try:
        names = library.names()
    except Exception as error:
        _log("collections cannot be listed", error)
        return 503, {"status": "failed", "collections": {}}
    versions = {name: _version(library, name) for name in names}
    if not versions:
        return 503, {"status": "empty", "collections": {}}
    opened = sum(version is not None for version in versions.values())
    status = "ok" if opened == len(versions) else "degraded" if opened else "failed"
    return 200 if opened else 503, {"status": status, "collections": versions}


def health_route(library: CollectionLibrary) -> Route:
    """The route of /health. It is matched before Gradio's own routes, and needs no login."""

    def answer(_: Request) -> JSONResponse:
        status, said = health(library)
        return JSONResponse(said, status, {"Cache-Control": "no-store"})

    return Route("/health", answer, methods=["GET"])


def _version(library: CollectionLibrary, name: str) -> str | None:
    try:
        return library.open(name).version
    except Exception as error:
        _log(f"{name} cannot be opened", error)
        return None


def _log(what: str, error: Exception) -> None:
    log.warning("health: %s: %s", what, error, exc_info=not isinstance(error, SimileError))
