"""Pairs of pictures that show the same: near by the index or alike at a coarse look, and equal in pixels."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.duplicates.same_picture import Match, Pixels, best_of, second_looks
from pipeline.duplicates.signatures import Signatures, pixels_of
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
_SAME_DETAIL = 0.6  # of their details: copies have 0.75 and more, round portraits of two people have 0.56
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
    """

    first: str
    second: str
    kind: Kind
    correlation: float


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
        signatures: of all points of the version.
        cosine: neighbours from which on are looked at.
        correlation: of the pixels of a copy, at least.
        mirrored: whether mirrored copies count.
    """

    version: Version
    entry: EncoderEntry
    signatures: Signatures
    cosine: float
    correlation: float = SAME_PIXELS
    mirrored: bool = False

    def in_slice(self, store: Store, within: IdSlice) -> SliceResult:
        """Pairs of every point of a slice: with its neighbours, and with what looks alike behind it."""
        points, pairs, repeated = 0, set[Pair](), list[str]()
        alike = self.signatures.alike(within, self.mirrored)
        records = all_points(
            store, self.version.name, [(RESERVED, "places")], None, [self.entry.vector], within=within
        )
        for some in in_batches(records, _QUERIES):
            points += len(some)
            repeated += [str(record.id) for record in some if len(_places(record.payload)) > 1]
            vectors = np.asarray([r.vector[self.entry.vector] for r in some], np.float32)  # type: ignore[index,call-overload]
            ids = [str(record.id) for record in some]
            pairs |= self._compared(store, {own: alike[own] for own in ids if own in alike})
            pairs |= self._near(store, ids, vectors, _NEIGHBOURS)
        return SliceResult(points, sorted(pairs, key=lambda pair: (pair.first, pair.second)), repeated)

    def _near(self, store: Store, ids: Sequence[str], vectors: np.ndarray, limit: int) -> set[Pair]:
        """Pairs with neighbours; where all neighbours of a point are copies, more are asked for."""
        params = search_params(self.version.manifest, limit + 1, exact=False)
        answers = store.query_many(
            self.version.name, vectors, using=self.entry.vector, limit=limit + 1, params=params
        )
        near = {
            own: [str(hit.id) for hit in hits if hit.score >= self.cosine and str(hit.id) != own]
            for own, hits in zip(ids, answers, strict=True)
        }
        pairs = self._compared(store, near)
        copies = Counter(point for pair in pairs for point in (pair.first, pair.second))
        crowded = [at for at, own in enumerate(ids) if copies[own] >= limit]
        if crowded and limit < _MOST_NEIGHBOURS:
            pairs |= self._near(store, [ids[at] for at in crowded], vectors[crowded], 4 * limit)
        return pairs

    def _compared(self, store: Store, candidates: Mapping[str, Sequence[str]]) -> set[Pair]:
        """The candidates of each point that are the same by their pixels."""
        looked = {
            (min(own, other), max(own, other))
            for own, others in candidates.items()
            for other in self.signatures.may_be_same(own, others, self.mirrored)
        }
        likely = self.signatures.likely(sorted(looked), self.mirrored)
        pixels = _pixels(store, self.version.name, {point for pair in likely for point in pair})
        # Some points were stored without a thumbnail, or deleted meanwhile.
        there = {pair: looks for pair, looks in likely.items() if pixels.keys() >= set(pair)}
        each = [(pair, look) for pair, looks in there.items() for look in looks]
        laid = [(pixels[one], pixels[other], look) for (one, other), look in each]
        matches = second_looks(laid, self.correlation)
        of_pair: dict[tuple[str, str], list[Match]] = {}
        for (pair, _), match in zip(each, matches, strict=True):
            of_pair.setdefault(pair, []).append(match)
        made = (self._pair(*pair, best_of(found)) for pair, found in of_pair.items())
        return {pair for pair in made if pair is not None}

    def _pair(self, first: str, second: str, match: Match) -> Pair | None:
        if match.correlation < self.correlation or match.detail < _SAME_DETAIL or match.moved > _MOVED_MOST:
            return None
        return Pair(first, second, _kind(match), round(match.correlation, 4))


def _kind(match: Match) -> Kind:
    if match.mirrored:
        return "mirrored"
    return "re-encoded" if match.moved < _UNMOVED else "edited"


def _pixels(store: Store, version: str, ids: Iterable[str]) -> dict[str, Pixels]:
    """Of those points that have a thumbnail."""
    found = {}
    for some in in_batches(sorted(ids), _QUERIES):
        for record in store.retrieve(version, some, fields=[(RESERVED, "thumbnail")]):
            pixels = pixels_of(record.payload)
            if pixels is not None:
                found[str(record.id)] = pixels
    return found


def _places(payload: Mapping[str, Any] | None) -> Sequence[str]:
    return ((payload or {}).get(RESERVED) or {}).get("places") or ()
