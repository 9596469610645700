"""Whether a picture is of the kind of a collection, by how far its vector lies from the collection's centre.

Cosine leaves out the length of a vector. But networks for one kind of picture give those of another long
vectors about the centre: small photographs among the bundled paintings, for example, are further out than
nearly all paintings, and their nearest paintings are as near as those of a painting. Vectors are stored with
length one, so the lengths of a collection's own pictures are learnt from their thumbnails.
"""

import base64
import threading
from collections.abc import Sequence

import numpy as np
from cachetools import LRUCache

from pipeline.points import RESERVED
from pipeline.search.query_embedding import Prepared, prepare
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry, Version

__all__ = ["is_of_another_kind", "learn_own_kind"]

_SAMPLE = 128  # pictures; the first ones by id, which are hashes
_WITHIN = 0.98  # share of a collection's own pictures that are of its kind by this measure
_lengths: LRUCache[tuple[str, str], float] = LRUCache(256)
_lock = threading.Lock()


def learn_own_kind(store: Store, version: Version, entry: EncoderEntry) -> None:
    """Learns how long the vectors of the version's pictures are. It runs the network on 128 thumbnails."""
    records = store.scroll(version.name, _SAMPLE)
    pictures = [base64.b64decode((record.payload or {})[RESERVED]["thumbnail"]) for record in records]
    lengths = [np.linalg.norm(one.vector) for one in prepare(version, entry, pictures)]
    with _lock:
        _lengths[version.name, entry.name] = float(np.quantile(lengths, _WITHIN)) if lengths else np.inf


def is_of_another_kind(version: Version, entry: EncoderEntry, examples: Sequence[Prepared]) -> bool:
    """Whether each example lies further out than the collection's own; False before those were learnt."""
    with _lock:
        longest = _lengths.get((version.name, entry.name))
    return longest is not None and all(np.linalg.norm(one.vector) > longest for one in examples)
