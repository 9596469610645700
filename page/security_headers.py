"""What a browser is told about the page: what may run in it, who may frame it, and how cookies are kept."""

import re
import secrets
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from page.own_uploads import OWNER_COOKIE

__all__ = ["SecurityHeaders", "policy"]

# 'unsafe-eval': Gradio makes functions of the scripts of gr.HTML (`js_on_load`), and so does the library that
# draws the map. 'unsafe-inline' of styles: Svelte and the page write style attributes. Scripts in the page's
# own HTML run by a nonce that is new for each answer.
_POLICY = (
    ("default-src", "'self'"),
    ("script-src", "'self' 'nonce-{nonce}' 'unsafe-eval'"),
    ("style-src", "'self' 'unsafe-inline'"),
    ("img-src", "'self' data: blob:"),
    ("media-src", "'self' blob:"),
    ("font-src", "'self' data:"),
    ("connect-src", "'self' data: blob:"),
    ("worker-src", "'self' blob:"),
    ("object-src", "'none'"),
    ("base-uri", "'self'"),
    ("form-action", "'self'"),
    ("frame-ancestors", "{ancestors}"),
)
_FILE = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"
_FILES = ("/file=", "/original/", "/picture/")  # pictures that strangers made
_SCRIPT = re.compile(rb"<script(?=[\s>])")
_OWN_COOKIES = ("access-token-", OWNER_COOKIE)  # of the login, and of uploads


def policy(nonce: str, ancestors: Sequence[str] = ()) -> str:
    """The `Content-Security-Policy` of the page.

    Args:
        ancestors: origins that may show the page in a frame, besides itself.
    """
    values = {"nonce": nonce, "ancestors": " ".join(("'self'", *ancestors))}
    return "; ".join(f"{name} {value.format(**values)}" for name, value in _POLICY)


class SecurityHeaders:
    """ASGI middleware.

    Args:
        ancestors: of `--frame-ancestor`. In a frame of another site a browser sends cookies only if they say
            `SameSite=None; Secure`.
    """

    def __init__(self, app: ASGIApp, ancestors: Sequence[str] = ()) -> None:
        self._app, self._ancestors = app, tuple(ancestors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds the headers to every answer, and the nonce to the scripts of HTML pages."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        is_tls = scope.get("scheme") == "https" or _says_https(Headers(scope=scope))
        is_file = any(mark in scope["path"] for mark in _FILES)
        held: Message | None = None  # the start of an HTML answer, until its body is there
        body = b""

        async def changed(message: Message) -> None:
            nonlocal held, body
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["Content-Security-Policy"] = _FILE if is_file else policy(nonce, self._ancestors)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                message["headers"] = [self._cookie(name, value, is_tls) for name, value in headers.raw]
                if headers.get("content-type", "").startswith("text/html") and not is_file:
                    held = message
                    return
            elif held is not None and message["type"] == "http.response.body":
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                body = _SCRIPT.sub(f'<script nonce="{nonce}"'.encode(), body)
                headers = MutableHeaders(raw=held["headers"])
                if scope["method"] != "HEAD":
                    headers["Content-Length"] = str(len(body))
                headers["Cache-Control"] = "no-store"  # a nonce serves once
                await send({**held, "headers": headers.raw})
                held, message = None, {"type": "http.response.body", "body": body}
            await send(message)

        await self._app(scope, receive, changed)

    def _cookie(self, name: bytes, value: bytes, is_tls: bool) -> tuple[bytes, bytes]:
        """The page's cookies as strict as they can be where it is shown."""
        text = value.decode("latin-1")
        if name.lower() != b"set-cookie" or not text.startswith(_OWN_COOKIES):
            return name, value
        parts = [part for part in text.split("; ") if part.lower() not in ("secure", "httponly")]
        parts = [part for part in parts if not part.lower().startswith("samesite")]
        framed = is_tls and bool(self._ancestors)
        parts += ["HttpOnly", "SameSite=None" if framed else "SameSite=Lax"]
        return name, "; ".join([*parts, *(["Secure"] if is_tls else [])]).encode("latin-1")


def _says_https(headers: Headers) -> bool:
    """Whether the visitor came over TLS, as a proxy says. A lie changes the liar's own cookies only."""
    return headers.get("x-forwarded-proto", "").split(",")[0].strip() == "https"
