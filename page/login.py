"""Who is logged in, and how fast passwords may be tried.

Each failure makes the next try wait longer, per address and in all.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from page.rate_limit import network_of

__all__ = ["LoginDelay", "LoginDelays", "is_logged_in"]

_ALL = "all"
_FORGET = 900.0  # seconds after the last failure
_FREE = {_ALL: 20}  # failures that cost nothing, so that a mistyped password does not
_FREE_OF_ADDRESS = 2
_LONGEST = {_ALL: 5.0}  # seconds; in all they are few, as everybody waits for them
_LONGEST_OF_ADDRESS = 60.0
_HELD = 16  # tries that wait in an open connection; the others are told to come again
_HOLD = 5.0  # seconds


def is_logged_in(request: Request) -> bool:
    """Whether the page has no login, or the visitor has logged in. For routes beside those of Gradio."""
    app: Any = request.app
    if app.auth is None:
        return True
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return any(request.cookies.get(name) in app.tokens for name in names)


@dataclass(frozen=True)
class _Failures:
    count: int
    last: float
    free_at: float


class LoginDelays:
    """Failures by address, and those of all addresses together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: LRUCache[str, _Failures] = LRUCache(10_000)

    def wait(self, network: str) -> float:
        """Seconds until a try from this network may be made."""
        now = self._clock()
        return max(0.0, *(self._of(key, now).free_at - now for key in (network, _ALL)))

    def begin(self, network: str) -> None:
        """Counts a try as a failure until it is known to be none: tries at the same time count, too."""
        now = self._clock()
        for key in (network, _ALL):
            before = self._of(key, now)
            count = before.count + 1
            over = count - _FREE.get(key, _FREE_OF_ADDRESS)
            longest = _LONGEST.get(key, _LONGEST_OF_ADDRESS)
            delay = min(longest, 2.0 ** min(over - 1, 30)) if over > 0 else 0.0
            self._failures[key] = _Failures(count, now, now + delay)

    def succeeded(self, network: str) -> None:
        """The try was none: this address starts anew, and of all failures it is taken away."""
        now = self._clock()
        self._failures.pop(network, None)
        everybody = self._of(_ALL, now)
        self._failures[_ALL] = _Failures(max(0, everybody.count - 1), everybody.last, now)

    def _of(self, key: str, now: float) -> _Failures:
        found = self._failures.get(key)
        return found if found and now - found.last < _FORGET else _Failures(0, now, now)


class LoginDelay:
    """ASGI middleware around POST /login: a short wait is waited, a longer one is answered 429."""

    def __init__(self, app: ASGIApp, delays: LoginDelays | None = None) -> None:
        self._app, self._delays = app, delays or LoginDelays()
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Delays logins, and passes everything else on."""
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""
        if path.rstrip("/") != "/login" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        network = network_of((scope.get("client") or (None,))[0])
        wait = self._delays.wait(network)
        if 0 < wait <= _HOLD and self._held < _HELD:
            self._held += 1
            try:
                await asyncio.sleep(wait)
            finally:
                self._held -= 1
            wait = self._delays.wait(network)  # another one may have failed meanwhile
        if wait > 0:
            seconds = round(wait + 0.5)
            said = f"too many failed logins; try again in {seconds} second{'s'[: seconds > 1]}"
            await JSONResponse({"detail": said}, 429, {"Retry-After": str(seconds)})(scope, receive, send)
            return
        self._delays.begin(network)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self._delays.succeeded(network)
            await send(message)

        await self._app(scope, receive, watched)
