"""A small grey picture of every one of a version, from which those that were saved again are found.

Networks do not see every copy as near: a strong JPEG or half the size can move the vector of a tiny picture
further than another picture of its kind is. Coarse grey means hardly change.
"""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from pipeline.duplicates.same_picture import (
    COARSE,
    COARSE_LEAST,
    MEDIUM,
    Look,
    Pixels,
    coarse_rows,
    first_looks,
)
from pipeline.points import RESERVED
from pipeline.store import Store
from pipeline.store.id_slices import IdSlice
from pipeline.store.read_points import all_points

__all__ = ["Signatures", "pixels_of", "read_signatures"]

_ALIKE = 0.92  # correlation of the means from which two pictures are compared, whatever their vectors say
_MOST_ALIKE = 64  # such pictures of one: thousands of blank pages are no reason for millions of comparisons
_PAIRS = 16  # that are aligned at once: arrays of 64 kB, which stay in the processor's cache
_BLOCK = 4096  # rows that are multiplied at once: 64 MB of products
_THUMBNAIL = (RESERVED, "thumbnail")


@dataclass(frozen=True)
class Signatures:
    """N points in the order of their ids.

    Attributes:
        ids: (N,) bytes.
        medium: (N, 32, 32) uint8, grey; all equal for a picture of one colour, or without a thumbnail.
    """

    ids: np.ndarray
    medium: np.ndarray

    @staticmethod
    def joined(parts: Iterable["Signatures"]) -> "Signatures":
        """Those of several slices, in any order."""
        every = list(parts)
        ids = np.concatenate([part.ids for part in every])
        order = np.argsort(ids)
        return Signatures(ids[order], np.concatenate([part.medium for part in every])[order])

    @cached_property
    def rows(self) -> np.ndarray:
        """(N, 256) float32 of mean 0 and length 1, or all 0: 16 × 16 grey means."""
        return coarse_rows(self.medium)

    def places(self, ids: Sequence[str]) -> np.ndarray:
        """Rows of points that are there."""
        return np.searchsorted(self.ids, np.array(ids, "S36"))

    def may_be_same(self, first: str, others: Sequence[str], mirrored: bool) -> list[str]:
        """Those of `others` that are alike enough to be laid over the first.

        Args:
            mirrored: whether they may be mirrored as well.
        """
        if not others:
            return []
        own = self.rows[self.places([first])[0]]
        looks = self.rows[self.places(others)] @ self._both(own[None], mirrored).T
        return [other for other, look in zip(others, looks.max(axis=1), strict=True) if look >= COARSE_LEAST]

    def likely(self, pairs: Sequence[tuple[str, str]], mirrored: bool) -> dict[tuple[str, str], list[Look]]:
        """Those of some pairs that may be the same at a first look; only these need their thumbnails.

        Args:
            mirrored: whether the second one may be mirrored as well.
        """
        kept = {}
        for start in range(0, len(pairs), _PAIRS):
            some = pairs[start : start + _PAIRS]
            one, other = (self.medium[self.places(each)] for each in zip(*some, strict=True))
            for pair, looks in zip(some, first_looks(one, other, mirrored=mirrored), strict=True):
                if promising := [look for look in looks if look.promising]:
                    kept[pair] = promising
        return kept

    def alike(self, within: IdSlice, mirrored: bool) -> dict[str, list[str]]:
        """Id -> ids behind it that look the same, for the points of a slice; those with none are left out."""
        first = int(np.searchsorted(self.ids, np.bytes_(within.first or "")))
        end = int(np.searchsorted(self.ids, np.bytes_(within.end))) if within.end else len(self.ids)
        found: dict[str, list[str]] = {}
        for start in range(first, end, _BLOCK):
            own = self.rows[start : min(end, start + _BLOCK)]
            for other in range(start, len(self.ids), _BLOCK):
                block = self.rows[other : other + _BLOCK]
                looks = own @ block.T
                if mirrored:
                    looks = np.maximum(looks, self._both(own, True)[len(own) :] @ block.T)
                for at, column in np.argwhere(looks >= _ALIKE):
                    if other + column > start + at:
                        some = found.setdefault(self.ids[start + at].decode(), [])
                        if len(some) < _MOST_ALIKE:
                            some.append(self.ids[other + column].decode())
        return found

    @staticmethod
    def _both(rows: np.ndarray, mirrored: bool) -> np.ndarray:
        """The rows, and behind them, if asked for, those of the mirrored pictures."""
        if not mirrored:
            return rows
        flipped = rows.reshape(-1, COARSE, COARSE)[:, :, ::-1].reshape(len(rows), -1)
        return np.concatenate([rows, flipped])


def read_signatures(version: str, store: Store, within: IdSlice) -> Signatures:
    """Those of a slice; every thumbnail is decoded."""
    ids: list[str] = []
    medium: list[np.ndarray] = []
    for record in all_points(store, version, [_THUMBNAIL], page=256, within=within):
        pixels = pixels_of(record.payload)
        ids.append(str(record.id))
        medium.append(np.zeros((MEDIUM, MEDIUM), np.uint8) if pixels is None else pixels.medium)
    return Signatures(np.array(ids, "S36"), np.array(medium, np.uint8).reshape(len(ids), MEDIUM, MEDIUM))


def pixels_of(payload: Mapping[str, Any] | None) -> Pixels | None:
    """The thumbnail in a payload; None where there is none."""
    text = ((payload or {}).get(RESERVED) or {}).get("thumbnail")
    if not text:
        return None
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        return Pixels(image)
