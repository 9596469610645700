"""Point ids as numbers: two words of 64 bits, which sort as the text does and are compared by the million."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

__all__ = ["find_words", "first_of_each", "id_bytes", "id_texts", "id_words", "words_of"]


def id_words(column: pa.ChunkedArray) -> np.ndarray:
    """A column of 16 bytes as (N, 2) uint64; 0 where there is none."""
    ids = column.combine_chunks().fill_null(bytes(16))
    if not len(ids):
        return np.empty((0, 2), np.uint64)
    whole = np.frombuffer(ids.buffers()[1], ">u8", count=2 * len(ids), offset=16 * ids.offset)
    return whole.reshape(-1, 2).astype(np.uint64)


def words_of(texts: Iterable[str]) -> np.ndarray:
    """(N, 2) uint64 of UUIDs as text.

    >>> words_of(["00000000-0000-0001-0000-000000000002"]).tolist()
    [[1, 2]]
    """
    data = b"".join(uuid.UUID(text).bytes for text in texts)
    return np.frombuffer(data, ">u8").reshape(-1, 2).astype(np.uint64)


def id_texts(words: np.ndarray) -> list[str]:
    """UUIDs as text of (N, 2) uint64.

    >>> id_texts(np.array([[1, 2]], np.uint64))
    ['00000000-0000-0001-0000-000000000002']
    """
    data = words.astype(">u8").tobytes().hex()
    each = (data[start : start + 32] for start in range(0, len(data), 32))
    return [f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" for h in each]


def id_bytes(text: str) -> bytes:
    """The 16 bytes of a UUID as text."""
    return uuid.UUID(text).bytes


def first_of_each(words: np.ndarray) -> np.ndarray:
    """(N,) bool: which of (N, 2) words that are sorted are not those before them.

    >>> first_of_each(np.array([[1, 2], [1, 2], [1, 3]], np.uint64)).tolist()
    [True, False, True]
    """
    first = np.ones(len(words), bool)
    first[1:] = (words[1:] != words[:-1]).any(1)
    return first


def find_words(among: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Where each of (M, 2) words stands in (N, 2) words that are sorted; (M,) int64, -1: nowhere.

    Two ids that begin with the same 64 bits stand side by side, and are told apart.
    """
    found = np.full(len(words), -1, np.int64)
    if not len(among):
        return found
    at = np.searchsorted(among[:, 0], words[:, 0])
    open_ones = np.arange(len(words))
    while len(open_ones):
        here = at[open_ones]
        inside = here < len(among)
        open_ones, here = open_ones[inside], here[inside]
        first = among[here, 0] == words[open_ones, 0]
        open_ones, here = open_ones[first], here[first]
        same = among[here, 1] == words[open_ones, 1]
        found[open_ones[same]] = here[same]
        open_ones = open_ones[~same]
        at[open_ones] += 1
    return found
