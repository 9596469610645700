"""How much one visitor may ask: a token bucket a session, and a larger one an address."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from pipeline.errors import SimileError

__all__ = ["PER_MINUTE", "Buckets", "Visitors", "address_of", "is_counted", "is_search"]

PER_MINUTE = 120  # searches: more than a person can look at
_ADDRESS_FACTOR = 10  # a classroom or an office comes from one address
_MOST = 10_000  # visitors that are remembered; about 2 MB
_IPV6_NETWORK = 64  # bits that one household or server is given; it may use any address in it

F = TypeVar("F", bound=Callable[..., Any])


class Buckets:
    """Token buckets by key: each holds up to `burst` tokens and gains `rate` a second. Not thread-safe.

    Keeps the `most` keys that asked last. A key that was put away begins again with a full bucket.
    """

    def __init__(self, rate: float, burst: float, most: int = _MOST) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> tokens, when

    def __len__(self) -> int:
        return len(self._held)

    def wait(self, key: str, now: float) -> float:
        """Seconds until `key` has a token; 0 where it has one."""
        return max(0.0, (1 - self._tokens(key, now)) / self._rate)

    def take(self, key: str, now: float) -> None:
        """Takes a token."""
        self._held[key] = (self._tokens(key, now) - 1, now)
        self._held.move_to_end(key)
        while len(self._held) > self._most:
            self._held.popitem(last=False)

    def _tokens(self, key: str, now: float) -> float:
        tokens, when = self._held.get(key, (self._burst, now))
        return min(self._burst, tokens + max(0.0, now - when) * self._rate)


class Visitors:
    """`per_minute` searches for a session, and ten times as many for all sessions of one address.

    Half a minute's worth may come at once. This machine's own address counts by session only: it is also
    where a tunnel or a proxy on this machine comes from. 0 is no limit.
    """

    def __init__(self, per_minute: int = PER_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._levels: list[Buckets] = []
        if per_minute:
            rate, burst = per_minute / 60, max(1.0, per_minute / 2)
            self._levels = [Buckets(rate, burst), Buckets(rate * _ADDRESS_FACTOR, burst * _ADDRESS_FACTOR)]

    def admit(self, address: str | None, session: str | None) -> None:
        """Counts a search.

        Raises:
            SimileError: it is one too many; the message says how long to wait.
        """
        where = address_of(address)
        keys = [f"{where}/{session}", where]
        with self._lock:
            now = self._clock()
            levels = list(zip(self._levels, keys, strict=False))
            if where == "here":
                levels = levels[:1]
            wait = max((buckets.wait(key, now) for buckets, key in levels), default=0.0)
            if wait == 0:
                for buckets, key in levels:
                    buckets.take(key, now)
                return
        seconds = max(1, round(wait + 0.5))
        raise SimileError(
            f"too many searches at once from your side; search again in {seconds} second{'s'[: seconds > 1]}"
        )


def address_of(host: str | None) -> str:
    """What stands for a visitor's address: an IPv6 network, `here` for this machine.

    >>> address_of("2001:db8:1:2:3::4"), address_of("127.0.0.1"), address_of("192.0.2.7")
    ('2001:db8:1:2::', 'here', '192.0.2.7')
    """
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address_of(str(address.ipv4_mapped))
        if not address.is_loopback:
            return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False).network_address)
    return "here" if address.is_loopback else str(address)


def is_search(function: F) -> F:
    """Marks a handler whose every call is a search, or as dear as one."""
    function.counted = True  # type: ignore[attr-defined]
    return function


def is_counted(function: Any) -> bool:
    """Whether calls of this handler are searches."""
    return bool(getattr(function, "counted", False))
