"""One result: what is stored of a picture, and how near it is; and all results of one search."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from pipeline.errors import ImageError
from pipeline.images import as_rgb, data_url
from pipeline.points import RESERVED, bounded
from pipeline.printable import printable
from pipeline.search.notebook import hit_html, hits_html

__all__ = ["Found", "Hit", "Hits", "hit_from"]

_SHOWN = 80  # characters of a caption or place in the line that stands for a hit

_TINY = 64  # pixels of the longer side


@dataclass(frozen=True, repr=False)
class Hit:
    """One result.

    Attributes:
        id: point id.
        score: cosine similarity in [−1, 1], or 1 − 2h/D for Hamming distance h of D bits; larger is nearer.
            Of several likes, the nearest one's, or their mean where they were averaged.
        distance: 1 − cosine (float), or differing bits (int).
        payload: columns of the source, plus `width`, `height`, `places` and `credit` under `_simile`.
        thumbnail: encoded picture, `thumbnail_type` its MIME type.
        label: a short caption from the collection's filter fields.
        unusual: share of random pairs of the collection that are further apart; None: it is not calibrated.
        weak: below the calibrated score of a match; None: not calibrated.
        like_scores: score against each like, where there were several or any dislike; so `dislike_scores`.
        copies: ids of nearly equal pictures that were folded into this hit.
    """

    id: str
    score: float
    distance: float | int
    payload: dict[str, Any]
    thumbnail: bytes
    thumbnail_type: str = "image/webp"
    label: str = ""
    unusual: float | None = None
    weak: bool | None = None
    like_scores: tuple[float, ...] = ()
    dislike_scores: tuple[float, ...] = ()
    copies: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """One line: payload and thumbnail may be long."""
        label, place = printable(self.label, _SHOWN), printable(self.place, _SHOWN)
        return f"<Hit {self.id}: score {self.score:.4f}, '{label}', {place or 'place unknown'}>"

    def _repr_html_(self) -> str:
        """For notebooks."""
        return hit_html(self)

    def image(self) -> Image.Image:
        """The stored thumbnail, decoded: RGB, the short side at most 256 pixels.

        Raises:
            ImageError: nothing is stored, or it is damaged.
        """
        if not self.thumbnail:
            raise ImageError(f"the picture {self.id} is stored without a thumbnail; index it again")
        return as_rgb(self.thumbnail)

    @property
    def places(self) -> tuple[str, ...]:
        """Where the picture stands in its source, as `file:row`; several where it is there several times."""
        return tuple((self.payload.get(RESERVED) or {}).get("places") or ())

    @property
    def is_tiny(self) -> bool:
        """Whether the picture has so few pixels that it cannot be shown large."""
        own = self.payload.get(RESERVED) or {}
        return 1 < max(own.get("width") or 1, own.get("height") or 1) <= _TINY

    @property
    def place(self) -> str:
        """The first of `places`; empty where nothing is known."""
        return next(iter(self.places), "")

    @property
    def path(self) -> str:
        """The file of `place`, relative to the source: the picture itself, or the table that holds it."""
        return self.place.rpartition(":")[0]

    @property
    def data_url(self) -> str:
        """The thumbnail as a data URL."""
        return data_url(self.thumbnail, self.thumbnail_type)


class Hits(list[Hit]):
    """A list of hits that a notebook shows as a grid of pictures."""

    def _repr_html_(self) -> str:
        return hits_html(self)


@dataclass(frozen=True)
class Found:
    """What a search answers.

    Attributes:
        hits: best first.
        embed_ms, search_ms: milliseconds; the first includes decoding, and is near 0 for a picture
            that was embedded a moment ago.
        more: whether there are hits after these.
        threshold: score of a match in this collection; None: it is not calibrated.
        close: score that the best hit has to reach to be a close match; None: it is not known.
        foreign: what is searched from is a picture of another kind than the collection's, as far as is known.
    """

    hits: list[Hit]
    embed_ms: float
    search_ms: float
    more: bool
    threshold: float | None
    close: float | None = None
    foreign: bool = False

    @property
    def is_close(self) -> bool:
        """Whether the best hit is a close match, as far as is known."""
        if self.foreign:
            return False
        return self.close is None or not self.hits or max(hit.score for hit in self.hits) >= self.close

    @property
    def times(self) -> dict[str, float]:
        """`embed_ms` and `search_ms`."""
        return {"embed_ms": self.embed_ms, "search_ms": self.search_ms}

    def _repr_html_(self) -> str:
        """For notebooks."""
        return hits_html(self.hits)


_NONE: tuple[Any, ...] = (None, "", [])  # values that say nothing


def _caption(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def hit_from(
    point_id: str,
    payload: dict[str, Any],
    label_fields: Sequence[str],
    score: float = 1.0,
    distance: float | int = 0,
    **others: Any,
) -> Hit:
    """A stored point as a hit; by default as near as a picture is to itself.

    Its payload is `bounded`: collections of earlier versions may hold texts of any length.
    """
    payload = dict(payload)
    own = dict(payload.pop(RESERVED, {}))
    payload = bounded(payload)
    thumbnail = base64.b64decode(own.pop("thumbnail", ""))
    kind = own.pop("thumbnail_type", "image/webp")
    label = " · ".join(_caption(payload[field]) for field in label_fields if payload.get(field) not in _NONE)
    payload |= {RESERVED: own}
    return Hit(point_id, float(score), distance, payload, thumbnail, kind, label, **others)
