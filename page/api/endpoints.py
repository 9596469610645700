"""GET /health: whether this page can answer a search, for whatever watches or balances it. Needs no login."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from page.api.look_closer import Views
from page.api.search import UPLOAD_TOOL, Programs, search_endpoint
from page.library import Library
from page.results import FAILED
from pipeline.errors import SimileError

__all__ = ["add_endpoints", "health", "health_route"]

log = logging.getLogger("simile")


def health(library: Library) -> tuple[int, dict[str, Any]]:
    """HTTP status and what is said: 200 while any collection can be searched, else 503.

    `status` is `ok`, `degraded` (a collection cannot be opened; its version is null), `empty` or `failed`.
    Reasons go to the log: they may name paths and addresses, and anyone may ask.
    """
    try:
        names = library.names()
    except Exception as error:
        _tell("collections cannot be listed", error)
        return 503, {"status": "failed", "collections": {}}
    versions = {name: _version(library, name) for name in names}
    if not versions:
        return 503, {"status": "empty", "collections": {}}
    opened = sum(version is not None for version in versions.values())
    status = "ok" if opened == len(versions) else "degraded" if opened else "failed"
    return 200 if opened else 503, {"status": status, "collections": versions}


def health_route(library: Library) -> Route:
    """The route; it stands before Gradio's own, and outside its login."""

    def answer(_: Request) -> JSONResponse:
        status, said = health(library)
        return JSONResponse(said, status, {"Cache-Control": "no-store"})

    return Route("/health", answer, methods=["GET"])


def _version(library: Library, name: str) -> str | None:
    try:
        return library.open(name).version
    except Exception as error:
        _tell(f"{name} cannot be opened", error)
        return None


def _tell(what: str, error: Exception) -> None:
    log.warning("health: %s: %s", what, error, exc_info=not isinstance(error, SimileError))


def add_endpoints(library: Library) -> None:
    """Makes the endpoints; called inside the Blocks."""
    gr.api(search_endpoint(library), api_name=UPLOAD_TOOL)
    do, views = Programs(library), Views(library)
    for function in (
        do.collections,
        do.facets,
        do.search_image,
        do.search_text,
        do.search_by_id,
        do.recommend,
        views.explain,
        views.map,
        views.compare,
        views.export,
    ):
        gr.api(_explained(function), api_name=function.__name__)


def _explained(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The same, whose errors are sentences."""

    @wraps(function)
    def explained(*args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return function(*args, **kwargs)
        except SimileError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception:
            log.exception("/%s failed", function.__name__)
            raise gr.Error(FAILED, print_exception=False) from None

    return explained
