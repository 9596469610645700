"""How much a request may bring, before anything reads it: no route and no login is asked first.

Starlette's own limit is one for all routes, counts bytes only, and does not say what to do.
"""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_BODY", "MAX_VALUES", "BodyLimit"]

MAX_BODY = 28_000_000  # bytes: a picture of 20 MB in base64, and what is around it
MAX_VALUES = 100_000  # of JSON; a million empty lists are 3 MB here and 100 MB in memory
_MAX_OTHER = 100_000  # bytes of what neither uploads nor calls an endpoint, such as a login
_PATIENCE = 5.0  # seconds to let a refused body pass
_UPLOAD = "/upload"
_LARGE = (_UPLOAD, "/queue/join", "/call/", "/run/", "/api/", "/mcp")


class BodyLimit:
    """ASGI middleware that answers 413 to a larger body: by its `Content-Length`, or once it has come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on a request whose body is small enough."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MAX_BODY if any(part in scope["path"] for part in _LARGE) else _MAX_OTHER
        told = Headers(scope=scope).get("content-length")
        if told is not None and not (told.isascii() and told.isdigit() and int(told) <= most):
            await _refuse(most, scope, receive, send)
            return
        came, values, is_whole, is_answered = 0, 0, False, False

        def is_too_much() -> bool:
            return came > most or values > MAX_VALUES

        async def counted() -> Message:
            nonlocal came, values, is_whole
            message = await receive()
            is_whole = not message.get("more_body")
            body = message.get("body", b"")
            came += len(body)
            if _UPLOAD not in scope["path"]:
                values += sum(body.count(mark) for mark in (b",", b"[", b"{"))
            return {"type": "http.disconnect"} if is_too_much() else message

        async def answered(message: Message) -> None:
            nonlocal is_answered
            if is_too_much() and not is_answered:
                return  # what the app says of a body that broke off
            is_answered = True
            await send(message)

        try:
            await self._app(scope, counted, answered)
        except ClientDisconnect:
            pass  # whoever sent half of a body has gone; the server would log a traceback
        except Exception:
            if not is_too_much():
                raise
        if is_too_much() and not is_answered:
            await _refuse(most, scope, receive, send, is_whole)


async def _refuse(most: int, scope: Scope, receive: Receive, send: Send, is_whole: bool = False) -> None:
    """Answers after a bounded part of the body: most programs read no answer before they have sent it all."""
    passed = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while not is_whole and passed <= MAX_BODY:
                message = await receive()
                passed += len(message.get("body", b""))
                is_whole = not message.get("more_body")
    said = f"the request is larger than {most / 1e6:g} MB or has more than {MAX_VALUES:,} values; send less"
    await JSONResponse({"detail": said}, 413, {"Connection": "close"})(scope, receive, send)
