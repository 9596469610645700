"""Which addresses of the page answer: an allow-list in front of the routes of Gradio.

Gradio can fetch http(s) addresses for a visitor (`file=http…`, `proxy=`), hand recordings to ffmpeg, and show
its owner's run history. None of this is part of the page, so these routes answer 404, and a file answers only
if it lies among this run's own uploads and cached files.
"""

import re
from urllib.parse import unquote

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from page.uploads import is_uploaded

__all__ = ["RouteGuard", "page_path", "status_of"]

_PREFIX = "/gradio_api"
_FILE = "/file="
_GET = ("GET", "HEAD")
# Method and path, without the prefix and without a slash at the end.
_ALLOWED: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (methods, re.compile(pattern))
    for methods, pattern in (
        # the page itself
        (_GET, r"|/config|/theme\.css|/robots\.txt|/favicon\.ico|/manifest\.json|/pwa_icon(/\d+)?"),
        (_GET, r"/(static|assets|svelte)/.+"),
        (_GET, r"/startup-events|/heartbeat/[^/]+|/app_id|/user|/token|/login_check|/logout"),
        (("POST",), r"/login"),
        # its events, and those of programs
        (_GET, r"/info|/queue/(data|status)|/upload_progress|/call/(v2/)?[^/]+/[^/]+"),
        (("POST",), r"/queue/join|/cancel|/reset|/upload|/(call|call/v2|run|api)/[^/]+"),
        # ours, and the Model Context Protocol
        (_GET, r"/(health|metrics|preview\.jpg)"),
        (_GET, r"/(original|picture)/[a-z0-9-]+/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        (("GET", "HEAD", "POST", "DELETE", "OPTIONS"), r"/mcp(/.*)?"),
    )
)


def status_of(method: str, path: str) -> int:
    """What a request is answered before Gradio sees it: 200 lets it through, 403 and 404 refuse it.

    Args:
        method: of HTTP.
        path: decoded, without the root path of a proxy.

    >>> status_of("GET", "/"), status_of("GET", "/gradio_api/file=http://example.com/a.png")
    (200, 403)
    >>> status_of("POST", "/gradio_api/process_recording")
    404
    """
    inner = path.removeprefix(_PREFIX) if path.startswith(f"{_PREFIX}/") else path
    if inner.startswith(_FILE):
        return 200 if method in _GET and is_uploaded(unquote(inner.removeprefix(_FILE))) else 403
    inner = inner.rstrip("/")
    for methods, pattern in _ALLOWED:
        if method in methods and pattern.fullmatch(inner):
            return 200
    return 404


def page_path(scope: Scope) -> str:
    """The path of a request as the page knows it, whether or not a proxy has left its root path in front.

    >>> page_path({"path": "/simile/config", "root_path": "/simile"}), page_path({"path": "/simile-2"})
    ('/config', '/simile-2')
    """
    path, root = scope["path"], scope.get("root_path", "")
    return path.removeprefix(root) or "/" if root and f"{path}/".startswith(f"{root}/") else path


class RouteGuard:
    """ASGI middleware that answers what `status_of` refuses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = status_of(scope["method"], page_path(scope))
        if status == 200:
            await self._app(scope, receive, send)
            return
        refused = JSONResponse({"detail": "Not found" if status == 404 else "Not allowed"}, status)
        await refused(scope, receive, send)
