"""Addresses of the web as text: which they are, and what of them others may read."""

import re

__all__ = ["is_web", "shown_address"]


def is_web(address: str) -> bool:
    """Whether this is an address of http or https."""
    return address.lower().startswith(("http://", "https://"))


def shown_address(address: str) -> str:
    """An address as others may read it: without a password, and without the query, which may be a signature.

    >>> shown_address("https://me:secret@example.org/a.jpg?sig=1#x"), shown_address("pics/a?.jpg")
    ('https://example.org/a.jpg', 'pics/a?.jpg')
    """
    if "://" not in address:
        return address
    return re.sub(r"(?<=://)[^/]*@", "", re.split(r"[?#]", address, maxsplit=1)[0])
