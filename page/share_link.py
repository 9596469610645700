"""The public link: opened through Gradio's tunnel, watched, and opened again when it drops or expires."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pipeline.errors import SimileError

__all__ = ["Pace", "RunningTunnel", "ShareLink", "TunnelError", "answers", "robots_route"]

log = logging.getLogger("simile")


@dataclass(frozen=True)
class Pace:
    """How often a link is looked at, and how long its loss is worked on.

    Attributes:
        check: seconds between two looks.
        misses: looks in a row without an answer after which a link that did answer counts as lost.
        first_wait: seconds between the first two tries to open it again; each further wait is twice as long.
        longest_wait: seconds.
        tries: after so many without a link that answers, the page goes on without one.
    """

    check: float = 30.0
    misses: int = 3
    first_wait: float = 5.0
    longest_wait: float = 900.0
    tries: int = 100  # about a day

    def wait(self, failures: int) -> float:
        """Seconds before the next try, after so many since the last link that answered.

        >>> [Pace().wait(failures) for failures in (0, 1, 2, 3, 99)]
        [0.0, 5.0, 10.0, 20.0, 900.0]
        """
        doublings = min(failures - 1, 30)
        return min(self.first_wait * 2.0**doublings, self.longest_wait) if failures else 0.0


class TunnelError(Exception):
    """A tunnel could not be opened; the message says why."""


class RunningTunnel(Protocol):
    """A tunnel that has been opened; `address` changes if it connects anew by itself."""

    @property
    def address(self) -> str:
        """What visitors open, without a slash at the end."""

    @property
    def ended(self) -> bool:
        """Whether it has stopped."""

    def kill(self) -> None:
        """Stops it."""


def answers(address: str) -> bool:
    """Whether it is this program's /health that answers there, and not the tunnel's own page of errors."""
    try:
        said = httpx.get(f"{address}/health", timeout=10).json()
    except (httpx.HTTPError, ValueError):
        return False
    return isinstance(said, dict) and {"status", "collections"} <= said.keys()


class ShareLink:
    """A public link to a page on this machine that is kept for as long as the page runs.

    Args:
        open_tunnel: opens a tunnel, or raises TunnelError; it is given what to call when the tunnel ends or
            has a new address.
        on_address: called with each new address, the first one included, before anyone can know it.
        answers: whether the page can be reached at an address.
    """

    def __init__(
        self,
        open_tunnel: Callable[[Callable[[], None]], RunningTunnel],
        on_address: Callable[[str], None],
        pace: Pace | None = None,
        answers: Callable[[str], bool] = answers,
    ) -> None:
        self._open_tunnel, self._on_address = open_tunnel, on_address
        self._pace, self._answers = pace or Pace(), answers
        self._woken, self._closed = threading.Event(), threading.Event()
        self._tunnel: RunningTunnel | None = None
        self._address = ""
        self._failures = 0  # tries to open a link since the last one that answered

    def open(self) -> None:
        """Opens the link for the first time.

        Raises:
            SimileError: it could not be opened; there is one try, because someone waits for it.
        """
        try:
            self._tunnel = self._open_tunnel(self._woken.set)
        except TunnelError as error:
            log.warning("share: %s", error)
            raise SimileError(
                "no public link could be made: Gradio's tunnel cannot be reached. Check the network, "
                "or leave out --share and let visitors come to --host 0.0.0.0"
            ) from None
        self._tell()

    def keep(self) -> None:
        """Watches the link and opens it again whenever it is lost; returns after `close` or when it gives up.

        A link counts as lost when its tunnel has ended, or when it answered before and no longer does. An
        address that never answered is left alone: some networks cannot reach their own public addresses.
        """
        misses, answered = 0, False
        while not self._wait_for_news(self._pace.check):
            if self._tunnel is None or self._tunnel.ended:
                lost = True
            elif self._tunnel.address != self._address:
                misses, answered = 0, False
                self._tell()
                continue
            elif self._answers(self._address):
                misses, answered, self._failures = 0, True, 0
                continue
            else:
                misses += 1
                lost = answered and misses >= self._pace.misses
            if lost:
                if not self._open_again():
                    return
                misses, answered = 0, False

    def close(self) -> None:
        """Ends the tunnel, and `keep`."""
        self._closed.set()
        self._woken.set()
        if self._tunnel is not None:
            self._tunnel.kill()

    def _wait_for_news(self, seconds: float) -> bool:
        """Waits until the tunnel reports something, at most so long; whether the link was closed."""
        self._woken.wait(seconds)
        self._woken.clear()
        return self._closed.is_set()

    def _open_again(self) -> bool:
        log.warning("the public link %s no longer works; another one is being opened", self._address)
        if self._tunnel is not None:
            self._tunnel.kill()
        while self._failures < self._pace.tries:
            if self._closed.wait(self._pace.wait(self._failures)):
                return False
            self._failures += 1
            try:
                self._tunnel = self._open_tunnel(self._woken.set)
            except TunnelError as error:
                log.warning("share: %s", error)
                continue
            self._tell()
            return True
        log.error("no public link could be opened in %d tries; start the program again", self._pace.tries)
        return False

    def _tell(self) -> None:
        assert self._tunnel is not None
        self._address = self._tunnel.address
        self._on_address(self._address)


def robots_route() -> Route:
    """A route that asks search engines to leave out this page: its link is for those who are given it."""

    def answer(_: Request) -> PlainTextResponse:
        return PlainTextResponse("User-agent: *\nDisallow: /")

    return Route("/robots.txt", answer, methods=["GET"])
