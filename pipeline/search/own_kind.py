"""What is known of each version's own pictures: learnt from its thumbnails, asked with each search."""

import base64
import threading
from collections.abc import Sequence

import numpy as np
from cachetools import LRUCache

from pipeline.index_quality.own_kind import REFERENCES, OwnKind, own_kind
from pipeline.points import RESERVED
from pipeline.search.query_embedding import Prepared, prepare
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry, Version

__all__ = ["is_of_another_kind", "knows_own_kind", "learn_own_kind"]

_AT_ONCE = 64  # thumbnails that are decoded together
_learnt: LRUCache[tuple[str, str], OwnKind] = LRUCache(64)
_lock = threading.Lock()


def learn_own_kind(store: Store, version: Version, entry: EncoderEntry) -> None:
    """Learns what the version's pictures are like. It runs the network on 256 thumbnails."""
    # The first ones by id, which are hashes.
    records = store.scroll(version.name, REFERENCES)
    pictures = [base64.b64decode((record.payload or {})[RESERVED]["thumbnail"]) for record in records]
    outputs = [
        one.output
        for start in range(0, len(pictures), _AT_ONCE)
        for one in prepare(version, entry, pictures[start : start + _AT_ONCE])
    ]
    learnt = own_kind(np.array(outputs, np.float32)) if outputs else None
    if learnt:
        with _lock:
            _learnt[version.name, entry.name] = learnt


def knows_own_kind(version: Version, entry: EncoderEntry) -> bool:
    """Whether the version's pictures were learnt for this encoder."""
    return _kept(version, entry) is not None


def is_of_another_kind(version: Version, entry: EncoderEntry, examples: Sequence[Prepared]) -> bool:
    """Whether each example is unlike the collection's own; False before those were learnt."""
    learnt = _kept(version, entry)
    return learnt is not None and all(
        one.output is not None and learnt.is_foreign(one.output) for one in examples
    )


def _kept(version: Version, entry: EncoderEntry) -> OwnKind | None:
    with _lock:
        return _learnt.get((version.name, entry.name))
