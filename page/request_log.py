"""One log line and one count for each request, without anything of the visitor.

A line holds the method, the template of the route, the status, milliseconds and bytes of the answer. It never
holds a query, the name of an upload, an address, a cookie or any other text that a visitor chose.
"""

import logging
import re
import sys
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from page.metrics import REFUSALS, REQUESTS
from page.route_guard import page_path

__all__ = ["RequestLog", "log_requests", "template_of"]

log = logging.getLogger("simile.requests")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_PREFIX = "/gradio_api"
_OTHER = "other"
_LEFT = 499  # the visitor went away before there was an answer
# What a path is written as. Names of endpoints are left out as well, because a visitor can make them up.
_TEMPLATES = tuple(
    (re.compile(pattern), template)
    for pattern, template in (
        (r"/(config|theme\.css|robots\.txt|favicon\.ico|manifest\.json|pwa_icon)?", None),
        (r"/(startup-events|app_id|user|token|login_check|login|logout|info)", None),
        (r"/(queue/join|queue/data|queue/status|cancel|reset|upload|upload_progress|health|metrics)", None),
        (r"/file=.*", "/file=*"),
        (r"/pwa_icon/\d+", "/pwa_icon/*"),
        (r"/(original|picture)/[^/]+/[^/]+", r"/\1/*/*"),
        (r"/(static|assets|svelte|heartbeat|run|api)/.+", r"/\1/*"),
        (r"/call/v2/[^/]+", "/call/v2/*"),
        (r"/call/v2/[^/]+/[^/]+", "/call/v2/*/*"),
        (r"/call/[^/]+", "/call/*"),
        (r"/call/[^/]+/[^/]+", "/call/*/*"),
        (r"/mcp(/.*)?", "/mcp"),
    )
)


def template_of(path: str) -> str:
    """The route of a path, one of the few that are written here; `other` for what the page does not have.

    Args:
        path: decoded, without the root path of a proxy.

    >>> template_of("/gradio_api/file=/tmp/x/holiday.jpg"), template_of("/gradio_api/call/search/4f1c")
    ('/gradio_api/file=*', '/gradio_api/call/*/*')
    >>> template_of("/wp-login.php")
    'other'
    """
    prefix = _PREFIX if path.startswith(f"{_PREFIX}/") else ""
    inner = path.removeprefix(prefix)
    inner = inner if inner.startswith("/file=") else inner.rstrip("/") or "/"
    for pattern, template in _TEMPLATES:
        if found := pattern.fullmatch(inner):
            return prefix + (found.expand(template) if template else inner)
    return _OTHER


class RequestLog:
    """ASGI middleware, outside of all others, so that it sees every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, then writes its line."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, size = time.perf_counter(), _LEFT, 0

        async def watched(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            status = 500
            raise
        finally:
            method = scope["method"] if scope["method"] in _METHODS else _OTHER
            route = template_of(page_path(scope))
            REQUESTS.labels(method, route, str(status)).inc()
            if 400 <= status < _LEFT:
                REFUSALS.labels(f"http_{status}").inc()
            took = (time.perf_counter() - start) * 1e3
            log.info("%s %s %d %.0f ms %d bytes", method, route, status, took, size)


def log_requests() -> None:
    """From now on the lines are written to stderr, with their time."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
