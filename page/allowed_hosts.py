"""Under which names the page answers, and which sites may send it something or read its answers.

A site that a visitor of another site has open can give its own name the address of this machine (DNS
rebinding) and then read the page as if it were its own; the `Host` header still holds that name. And any site
can send a form or a file here from its visitors' browsers; they say so in `Sec-Fetch-Site` and `Origin`.
"""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["AllowedHosts", "HostGuard"]

_OWN = frozenset(("127.0.0.1", "localhost", "::1"))
_READING = ("GET", "HEAD", "OPTIONS")
_WRONG_HOST = "the page does not answer under this name; whoever runs it can allow it with --allowed-host"
_OTHER_SITE = "other sites cannot send anything to this page, nor read it; open the page itself"


class AllowedHosts:
    """The names: this machine's own, those that were given, and later the one of the public link.

    Args:
        names: of `--allowed-host`.
        listening: of `--host`. Where it is every address of the machine (`0.0.0.0`), the page also
            answers under numeric addresses: nobody can give those to a name.
    """

    def __init__(self, names: Sequence[str] = (), listening: str = "127.0.0.1") -> None:
        self.given = {name.lower().strip("[]").rstrip(".") for name in names}
        own = listening.strip("[]")
        self._is_numeric_fine = own in ("0.0.0.0", "::")
        if not self._is_numeric_fine:
            self.given.add(own.lower())

    def add(self, address: str) -> None:
        """Allows the host of an address, such as that of the public link."""
        if host := urlsplit(address).hostname:
            self.given.add(host)

    def allows(self, host: str) -> bool:
        """Whether the page answers under this `Host`, which may hold a port.

        >>> hosts = AllowedHosts(["simile.example"])
        >>> [hosts.allows(host) for host in ("[::1]:7860", "Simile.example", "evil.example", "")]
        [True, True, False, False]
        """
        name = host_of(host)
        if name in _OWN or name in self.given:
            return True
        return self._is_numeric_fine and _is_address(name)


def host_of(netloc: str) -> str:
    """The host in `host:port`, in small letters; empty if there is none, or if it is malformed."""
    try:
        parts = urlsplit(f"//{netloc}")
        is_plain = parts.netloc == netloc and "@" not in netloc and (parts.port is None or parts.port >= 0)
    except ValueError:  # a port that is no number, or brackets that do not match
        return ""
    return (parts.hostname or "").rstrip(".") if is_plain else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class HostGuard:
    """ASGI middleware: 400 for a host that is not allowed, 403 for what another site sends or reads."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes the request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._hosts.allows(host):
            await JSONResponse({"detail": _WRONG_HOST}, 400)(scope, receive, send)
        elif self._is_of_browser(scope, headers) and not self._is_own(headers, host):
            await JSONResponse({"detail": _OTHER_SITE}, 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_of_browser(self, scope: Scope, headers: Headers) -> bool:
        """Whether a page of another site may have sent this and could change or read something.

        What a script reads from another site has an `Origin`. Gradio's layer for that (CORS) lies outside of
        this one and allows every site to read with a visitor's cookies, so it must not get anything to read.
        """
        return scope.get("method") not in _READING or "origin" in headers

    def _is_own(self, headers: Headers, host: str) -> bool:
        """Whether a program sent this, or the page itself."""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:  # no page can set it; browsers leave it out on http:// to other machines
            return site in ("same-origin", "none")
        if origin is None:
            return True
        sender = urlsplit(origin).netloc.lower()
        # Behind a proxy `Host` can be that of this server: the page's own is then one of --allowed-host.
        return sender == host.lower() or host_of(sender) in self._hosts.given - _OWN
