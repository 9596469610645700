"""Things on their way to Ray's workers: blocks with one of them in each."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["blocks_of", "things_in"]

_MOST_BLOCKS = 4096  # each costs Ray some milliseconds, and the driver some kilobytes


def blocks_of(each: Sequence[Any]) -> list[pa.Table]:
    """Blocks for Ray: the column `given` holds one thing a row; one row in each, unless they are many."""
    import pyarrow as pa

    step = max(1, -(-len(each) // _MOST_BLOCKS))
    return [
        pa.table({"given": [pickle.dumps(one) for one in each[start : start + step]]})
        for start in range(0, len(each), step)
    ]


def things_in(block: pa.Table) -> Iterator[Any]:
    """What `blocks_of` was given, one after the other."""
    return map(pickle.loads, block["given"].to_pylist())
