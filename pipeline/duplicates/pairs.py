"""Pairs of pictures that show the same: near each other by the index, and the same by their pixels."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from pipeline.duplicates.same_picture import Match, Pixels, compare
from pipeline.points import RESERVED
from pipeline.search.query import search_params
from pipeline.store import Store
from pipeline.store.id_slices import IdSlice
from pipeline.store.manifest import EncoderEntry, Version
from pipeline.store.read_points import all_points, in_batches

__all__ = ["SAME_PIXELS", "Kind", "Pair", "PairSearch", "SliceResult"]

Kind = Literal["re-encoded", "edited", "mirrored"]
# Correlation of pixels from which two pictures are the same. Of 100 paintings, copies that were saved again,
# scaled or mirrored have 0.975 and more, 95 % of the cropped and turned ones 0.93 and more; of 3,200 pairs of
# neighbours none that is moved so little reaches 0.84.
SAME_PIXELS = 0.9
_UNMOVED = 0.02  # corners that moved less: saved again or scaled, not cropped or turned
_MOVED_MOST = 0.15  # corners that moved further were laid over something else
_NEIGHBOURS, _MOST_NEIGHBOURS = 8, 512
_QUERIES = 256  # whose pictures, with those of their neighbours, are in memory: 12 kB each


@dataclass(frozen=True)
class Pair:
    """Two points that show the same picture, `first` < `second`.

    Attributes:
        kind: `re-encoded` (or scaled), `edited` (cropped or turned a little), or `mirrored`.
        correlation: of their pixels, see `same_picture.Match`.
        cosine: of their vectors.
    """

    first: str
    second: str
    kind: Kind
    correlation: float
    cosine: float


@dataclass(frozen=True)
class SliceResult:
    """What one slice of a version gives.

    Attributes:
        points: how many there are.
        pairs: those of which one point at least is in the slice.
        repeated: ids of points that stand in their source several times.
    """

    points: int
    pairs: list[Pair]
    repeated: list[str]


@dataclass(frozen=True)
class PairSearch:
    """What counts as a copy.

    Attributes:
        entry: the encoder whose vectors are searched.
        cosine: neighbours from which on are looked at.
        correlation: of the pixels of a copy, at least.
        mirrored: whether mirrored copies count.
    """

    version: Version
    entry: EncoderEntry
    cosine: float
    correlation: float = SAME_PIXELS
    mirrored: bool = False

    def in_slice(self, store: Store, within: IdSlice) -> SliceResult:
        """Search from every point of a slice."""
        points, pairs, repeated = 0, set[Pair](), list[str]()
        places = (RESERVED, "places")
        records = all_points(store, self.version.name, [places], None, [self.entry.vector], within=within)
        for some in in_batches(records, _QUERIES):
            points += len(some)
            repeated += [
                str(r.id)
                for r in some
                if len(((r.payload or {}).get(RESERVED) or {}).get("places") or ()) > 1
            ]
            vectors = np.asarray([r.vector[self.entry.vector] for r in some], np.float32)  # type: ignore[index,call-overload]
            pairs |= self._of([str(r.id) for r in some], vectors, store, _NEIGHBOURS)
        return SliceResult(points, sorted(pairs, key=lambda pair: (pair.first, pair.second)), repeated)

    def _of(self, ids: Sequence[str], vectors: np.ndarray, store: Store, limit: int) -> set[Pair]:
        """Pairs of these points; where all neighbours of one are copies, more are asked for."""
        params = search_params(self.version.manifest, limit + 1, exact=False)
        answers = store.query_many(
            self.version.name, vectors, using=self.entry.vector, limit=limit + 1, params=params
        )
        near = [
            {str(hit.id): hit.score for hit in hits if hit.score >= self.cosine and str(hit.id) != own}
            for own, hits in zip(ids, answers, strict=True)
        ]
        wanted = {point for found in near for point in found} | {
            o for o, f in zip(ids, near, strict=True) if f
        }
        pixels = _pixels(store, self.version.name, wanted)
        pairs, crowded = set[Pair](), list[int]()
        for at, (own, found) in enumerate(zip(ids, near, strict=True)):
            made = [
                pair
                for other, cosine in found.items()
                if (pair := self._pair(own, other, cosine, pixels)) is not None
            ]
            pairs.update(made)
            if len(made) >= limit:
                crowded.append(at)
        if crowded and limit < _MOST_NEIGHBOURS:
            pairs |= self._of([ids[at] for at in crowded], vectors[crowded], store, 4 * limit)
        return pairs

    def _pair(self, own: str, other: str, cosine: float, pixels: dict[str, Pixels]) -> Pair | None:
        if own not in pixels or other not in pixels:  # stored without a thumbnail
            return None
        first, second = sorted((own, other))
        match = compare(pixels[first], pixels[second], mirrored=self.mirrored)
        if match.correlation < self.correlation or match.moved > _MOVED_MOST:
            return None
        return Pair(first, second, _kind(match), round(match.correlation, 4), round(cosine, 4))


def _kind(match: Match) -> Kind:
    if match.mirrored:
        return "mirrored"
    return "re-encoded" if match.moved < _UNMOVED else "edited"


def _pixels(store: Store, version: str, ids: Iterable[str]) -> dict[str, Pixels]:
    """Of those points that have a thumbnail."""
    found = {}
    for some in in_batches(sorted(ids), _QUERIES):
        for record in store.retrieve(version, some, fields=[(RESERVED, "thumbnail")]):
            text = ((record.payload or {}).get(RESERVED) or {}).get("thumbnail")
            if text:
                with Image.open(io.BytesIO(base64.b64decode(text))) as image:
                    found[str(record.id)] = Pixels(image)
    return found
