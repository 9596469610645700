"""Which machines an address of a stranger may lead to: those of the public internet.

A list of addresses may have been made by anybody, and the job that reads it runs inside a network. So names
are resolved here, once, and the connection goes to what was looked at: a name that means another machine the
next time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

__all__ = ["PrivateAddressError", "PublicResolver", "is_public", "literal_address"]

# IPv6 networks whose addresses hold an IPv4 address that a gateway sends packets on to.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddressError(OSError):
    """A host whose address is none of the public internet."""


def is_public(address: str) -> bool:
    """Whether an IP address, in whatever form, belongs to the public internet.

    >>> is_public("93.184.216.34"), is_public("10.0.0.1"), is_public("::ffff:127.0.0.1")
    (True, False, False)
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def literal_address(host: str) -> bool:
    """Whether a host is an IP address, for which no resolver is asked."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class PublicResolver(AbstractResolver):
    """Resolves names as the system does, and refuses what leads to a private machine."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of a name.

        Raises:
            PrivateAddressError: one of them is private. A name that has both kinds is made to deceive.
        """
        found = await self._system.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise PrivateAddressError
        return found

    async def close(self) -> None:
        """Nothing is held."""
        await self._system.close()
