"""Requests to a server are of bounded size."""

from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["FLOAT_BYTES", "REQUEST_BYTES", "payload_bytes", "request_slices"]

REQUEST_BYTES = 8 * 2**20  # a quarter of the server's default limit
REQUEST_POINTS = 256
FLOAT_BYTES = 12  # of one float as JSON


def payload_bytes(payload: dict[str, Any]) -> int:
    """Size of a payload on the wire, roughly: the strings, of which the thumbnail is all that counts."""
    return sum(
        payload_bytes(value) if isinstance(value, dict) else len(str(value)) + len(key)
        for key, value in payload.items()
    )


def request_slices(sizes: Sequence[int], most: int | None = None) -> Iterator[slice]:
    """Cut rows of these sizes in bytes into requests below `REQUEST_BYTES` and `REQUEST_POINTS`.

    `most` rows, where the server takes fewer at once.

    >>> [(part.start, part.stop) for part in request_slices([5 * 2**20, 2 * 2**20, 4 * 2**20])]
    [(0, 2), (2, 3)]
    """
    most = min(REQUEST_POINTS, most or REQUEST_POINTS)
    start, total = 0, 0
    for at, size in enumerate(sizes):
        if at > start and (total + size > REQUEST_BYTES or at - start >= most):
            yield slice(start, at)
            start, total = at, 0
        total += size
    if len(sizes) > start:
        yield slice(start, len(sizes))
