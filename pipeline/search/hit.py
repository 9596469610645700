"""One result: what is stored of a picture, and how near it is."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.images import data_url
from pipeline.store.protocol import RESERVED

__all__ = ["Hit", "hit_from"]


@dataclass(frozen=True)
class Hit:
    """One result.

    Attributes:
        id: point id.
        score: cosine similarity in [−1, 1], or 1 − 2h/D for Hamming distance h of D bits; larger is nearer.
        distance: 1 − cosine (float), or differing bits (int).
        payload: columns of the source, plus `width`, `height`, `places` and `credit` under `_simile`.
        thumbnail: encoded picture, `thumbnail_type` its MIME type.
        label: a short caption from the collection's filter fields.
    """

    id: str
    score: float
    distance: float | int
    payload: dict[str, Any]
    thumbnail: bytes
    thumbnail_type: str = "image/webp"
    label: str = ""

    @property
    def data_url(self) -> str:
        """The thumbnail as a data URL."""
        return data_url(self.thumbnail, self.thumbnail_type)


def hit_from(
    point_id: str,
    payload: dict[str, Any],
    label_fields: Sequence[str],
    score: float = 1.0,
    distance: float | int = 0,
) -> Hit:
    """A stored point as a hit; by default as near as a picture is to itself."""
    payload = dict(payload)
    own = dict(payload.pop(RESERVED, {}))
    thumbnail = base64.b64decode(own.pop("thumbnail", ""))
    kind = own.pop("thumbnail_type", "image/webp")
    label = " · ".join(str(payload[field]) for field in label_fields if payload.get(field) not in (None, ""))
    return Hit(point_id, float(score), distance, payload | {RESERVED: own}, thumbnail, kind, label)
