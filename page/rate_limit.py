"""How often one visitor may search: a token bucket for each session, a larger one for each address."""

import inspect
import ipaddress
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from cachetools import LRUCache

from page.shared_state import Query
from pipeline.errors import SimileError

__all__ = [
    "PER_MINUTE",
    "Caller",
    "RateLimit",
    "TokenBuckets",
    "cost_of",
    "counts_as_search",
    "network_of",
]

PER_MINUTE = 120  # searches; more than a person can look at
_ADDRESS_FACTOR = 10  # a classroom or an office shares one address
_PROGRAM_FACTOR = 2  # of all programs that come through a tunnel or from this machine
_MOST_KEYS = 10_000  # sessions or addresses that are remembered; about 2 MB
_LIGHT = 0.1  # of a search; what an event of the page costs that is none
_IPV6_NETWORK = 64  # bits of the network that one household or server is given; it may use any address in it

# An open page; a program, which has none; or who sends or fetches a file, where no session is known.
Caller = Literal["page", "program", "file"]
_HERE = "here"
F = TypeVar("F", bound=Callable[..., Any])


class TokenBuckets:
    """Token buckets by key: each holds up to `burst` tokens and gains `rate` a second. Not thread-safe.

    The `most` keys that were used last are remembered; a forgotten key starts again with a full bucket.
    """

    def __init__(self, rate: float, burst: float, most: int = _MOST_KEYS) -> None:
        self._rate, self._burst = rate, burst
        self._held: LRUCache[str, tuple[float, float]] = LRUCache(most)  # key -> tokens, at which time

    def __len__(self) -> int:
        return len(self._held)

    def wait(self, key: str, now: float, tokens: float = 1) -> float:
        """Seconds until `key` has so many tokens, or all that it can hold; 0 where it has them."""
        return max(0.0, (min(tokens, self._burst) - self._tokens(key, now)) / self._rate)

    def take(self, key: str, now: float, tokens: float = 1) -> None:
        """Takes tokens; what is taken beyond those that are there has to be gained first."""
        self._held[key] = (self._tokens(key, now) - tokens, now)

    def _tokens(self, key: str, now: float) -> float:
        tokens, when = self._held.get(key, (self._burst, now))
        return min(self._burst, tokens + max(0.0, now - when) * self._rate)


class RateLimit:
    """Allows `per_minute` searches for a session, and ten times as many for all sessions of one address.

    A burst of half a minute's searches is allowed. A tunnel or a proxy on this machine brings all of its
    visitors under this machine's own address. There open pages, programs and files have a budget each, the
    programs a small one: a session is named by whoever calls, so a program with a new name for each call must
    neither get around the limit nor leave nothing to the pages. With 0 there is no limit.
    """

    def __init__(self, per_minute: int = PER_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._levels: list[TokenBuckets] = []
        if per_minute:
            rate, burst = per_minute / 60, max(1.0, per_minute / 2)
            self._levels = [
                TokenBuckets(rate, burst),
                TokenBuckets(rate * _ADDRESS_FACTOR, burst * _ADDRESS_FACTOR),
                TokenBuckets(rate * _PROGRAM_FACTOR, burst * _PROGRAM_FACTOR),
            ]

    def admit(
        self, address: str | None, session: str | None, cost: float = 1, caller: Caller = "page"
    ) -> None:
        """Counts what costs as much as `cost` searches.

        Args:
            session: None where no session is known, as of a file: then only the address counts.
            caller: whose budget it is where many share this machine's address.

        Raises:
            SimileError: it is one too many; the message says how long to wait.
        """
        network = network_of(address)
        is_shared = network == _HERE
        shared = f"{network} {caller}" if is_shared else network
        is_small = is_shared and caller == "program"
        keys = [f"{network}/{session}" if session else None, None if is_small else shared]
        keys.append(shared if is_small else None)
        with self._lock:
            now = self._clock()
            levels = [(buckets, key) for buckets, key in zip(self._levels, keys, strict=False) if key]
            wait = max((buckets.wait(key, now, cost) for buckets, key in levels), default=0.0)
            if wait == 0:
                for buckets, key in levels:
                    buckets.take(key, now, cost)
                return
        seconds = max(1, round(wait + 0.5))
        raise SimileError(
            f"too many searches at once from your side; search again in {seconds} second{'s'[: seconds > 1]}"
        )


def network_of(host: str | None) -> str:
    """The key of a visitor's address: the network of an IPv6 address, `here` for this machine.

    >>> network_of("2001:db8:1:2:3::4"), network_of("127.0.0.1"), network_of("192.0.2.7")
    ('2001:db8:1:2::', 'here', '192.0.2.7')
    """
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return network_of(str(address.ipv4_mapped))
        if not address.is_loopback:
            return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False).network_address)
    return _HERE if address.is_loopback else str(address)


def counts_as_search(function: F) -> F:
    """Marks a handler whose every call is a search, or costs as much as one."""
    function.counted = True  # type: ignore[attr-defined]
    return function


def cost_of(function: Any, inputs: Sequence[Any]) -> float:
    """What a call costs, in searches: one for each picture that it searches from, a tenth for other events.

    Args:
        inputs: what it is called with: the states and values of the page, or the arguments of a program.
    """
    if not getattr(function, "counted", False):
        return _LIGHT
    pictures = sum(value.own_pictures for value in inputs if isinstance(value, Query))
    named = dict(zip(inspect.signature(function).parameters, inputs, strict=False))
    listed = [named.get(name) for name in ("likes", "dislikes")]
    return max(1, pictures + sum(len(each) for each in listed if isinstance(each, list)))
