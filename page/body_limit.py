"""How many bytes a request may bring, before anything reads them: no route and no login is asked first."""

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_BODY", "BodyLimit"]

MAX_BODY = 28_000_000  # bytes: a picture of 20 MB in base64, and what is around it
_MAX_OTHER = 100_000  # of what neither uploads nor calls an endpoint, such as a login
_LARGE = ("/upload", "/queue/join", "/call/", "/run/", "/api/", "/mcp")


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
        refused = JSONResponse(
            {"detail": f"the request is larger than {most / 1e6:g} MB; send a smaller picture"},
            413,
            {"Connection": "close"},  # the rest of the body is not read
        )
        if told is not None and not (told.isascii() and told.isdigit() and int(told) <= most):
            await refused(scope, receive, send)
            return
        came, is_answered = 0, False

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return {"type": "http.disconnect"} if came > most else message

        async def answered(message: Message) -> None:
            nonlocal is_answered
            if came > most and not is_answered:
                return  # what the app says of a body that broke off
            is_answered = True
            await send(message)

        try:
            await self._app(scope, counted, answered)
        except Exception:
            if came <= most:
                raise
        if came > most and not is_answered:
            await refused(scope, receive, send)
