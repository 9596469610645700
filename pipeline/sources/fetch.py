"""Pictures by http(s): bounded in bytes, time and redirects, and no burden for those who serve them."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from pipeline.images import MAX_BYTES
from pipeline.sources.public_addresses import (
    PrivateAddressError,
    PublicResolver,
    is_public,
    literal_address,
)
from pipeline.sources.source import Unread
from pipeline.sources.web_addresses import shown_address
from pipeline.version import simile_version

__all__ = ["Limits", "fetch_all"]

_REDIRECTS = 5
_ATTEMPTS = 3
_BUSY = (429, 500, 502, 503, 504)
_CHUNK = 2**16  # bytes


@dataclass(frozen=True)
class Limits:
    """What a fetch may take.

    Attributes:
        size: bytes of a picture.
        seconds: from the connection to the last byte of one attempt.
        longest_wait: seconds; a server that asks to wait longer is not asked again.
        at_once, at_once_a_host: requests of one call of `fetch_all`.
        together: bytes of one call, after which no other picture is begun.
        private: whether private, loopback and link-local addresses are allowed.
    """

    size: int = MAX_BYTES
    seconds: float = 60.0
    longest_wait: float = 60.0
    at_once: int = 16
    at_once_a_host: int = 2
    together: int = sys.maxsize
    private: bool = False


@dataclass
class _Host:
    """What is known of one host."""

    turns: asyncio.Semaphore
    not_before: float = 0.0  # time.monotonic() until which it asked to be left alone
    refused: set[str] = field(default_factory=set)


def fetch_all(addresses: Sequence[str], limits: Limits) -> list[bytes | Unread | None]:
    """Fetch N addresses, several at once.

    Returns:
        N times the bytes, or why there are none, with the HTTP status where there is one; None where it was
        not begun, which the first always is.
    """
    return asyncio.run(_fetch_all(addresses, limits)) if addresses else []


async def _fetch_all(addresses: Sequence[str], limits: Limits) -> list[bytes | Unread | None]:
    resolver = None if limits.private else PublicResolver()
    hosts: dict[str, _Host] = {}
    held = 0
    turns = asyncio.Semaphore(limits.at_once)
    headers = {"User-Agent": f"simile/{simile_version()}", "Accept": "image/*", "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=resolver, limit=limits.at_once),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=limits.seconds),
        headers=headers,
        auto_decompress=False,
    ) as session:

        async def fetch(address: str) -> bytes | Unread | None:
            nonlocal held
            host = hosts.setdefault(_host(address), _Host(asyncio.Semaphore(limits.at_once_a_host)))
            async with host.turns, turns:
                if held >= limits.together:
                    return None
                found = await _fetch(session, address, host, limits)
                held += len(found) if isinstance(found, bytes) else 0
                return found

        return list(await asyncio.gather(*map(fetch, addresses)))


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


async def _fetch(session: aiohttp.ClientSession, address: str, host: _Host, limits: Limits) -> bytes | Unread:
    """One picture, with a few attempts where the server is busy."""
    found: bytes | Unread | _Busy = _Busy("", 0)
    for attempt in range(_ATTEMPTS):
        await asyncio.sleep(max(0.0, host.not_before - time.monotonic()))
        found = await _attempt(session, address, limits)
        if not isinstance(found, _Busy):
            return found
        wait = found.seconds if found.seconds is not None else 2.0**attempt
        if wait > limits.longest_wait:
            return Unread(
                found.kind, f"{found.kind} from {shown_address(address)}; it asks to wait {wait:.0f} s"
            )
        host.not_before = max(host.not_before, time.monotonic() + wait)
    assert isinstance(found, _Busy)
    return Unread(found.kind, f"{found.kind} from {shown_address(address)}, {_ATTEMPTS} times")


@dataclass(frozen=True)
class _Busy:
    """An answer after which it is worth asking again."""

    kind: str
    seconds: float | None  # that the server asks to wait


async def _attempt(session: aiohttp.ClientSession, address: str, limits: Limits) -> bytes | Unread | _Busy:
    shown = shown_address(address)
    try:
        async with asyncio.timeout(limits.seconds):  # of all redirects together
            return await _follow(session, address, limits)
    except TimeoutError:
        return Unread("timed out", f"{shown} took more than {limits.seconds:.0f} s")
    except (aiohttp.InvalidURL, ValueError):
        return Unread("no address", f"'{shown}' is no address")
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, PrivateAddressError) or isinstance(error.__cause__, PrivateAddressError):
            return Unread("private address", f"{shown} leads to a private address; see --allow-private")
        return Unread("not reachable", f"{shown} cannot be reached ({type(error).__name__})")


async def _follow(session: aiohttp.ClientSession, address: str, limits: Limits) -> bytes | Unread | _Busy:
    """The body behind an address; each address on the way there is looked at."""
    url, shown = URL(address), shown_address(address)
    for _ in range(_REDIRECTS + 1):
        if url.scheme not in ("http", "https") or not url.host:
            return Unread("bad redirect", f"{shown} leads to an address that is not http or https")
        if not limits.private and literal_address(url.host) and not is_public(url.host):
            raise PrivateAddressError
        async with session.get(url, allow_redirects=False) as answer:
            if answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                try:
                    url = url.join(URL(answer.headers["Location"]))
                except ValueError:
                    return Unread("bad redirect", f"{shown} leads to what is no address")
                continue
            if answer.status in _BUSY:
                return _Busy(f"HTTP {answer.status}", _retry_after(answer.headers.get("Retry-After", "")))
            if answer.status != 200:
                return Unread(f"HTTP {answer.status}", f"HTTP {answer.status} from {shown}")
            return await _body(answer, shown, limits)
    return Unread("too many redirects", f"{shown} redirects more than {_REDIRECTS} times")


async def _body(answer: aiohttp.ClientResponse, shown: str, limits: Limits) -> bytes | Unread:
    too_large = Unread("too large", f"{shown} has more than {limits.size / 2**20:.0f} MiB")
    if (answer.content_length or 0) > limits.size:
        return too_large
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        return Unread("compressed", f"{shown} is sent compressed, although the request refuses that")
    data = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        data += chunk
        if len(data) > limits.size:
            return too_large
    return bytes(data)


def _retry_after(value: str) -> float | None:
    """Seconds that the header asks to wait: a number of them, or a date."""
    if value.strip().isdigit():
        return float(value)
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None
