"""One search within one version: ask the store, score, select, and ask for more until enough are left."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.fields import values_of
from pipeline.index_quality.calibration import fold_cosine, unusualness
from pipeline.search.filtered_query import Index, filtered_query
from pipeline.search.hit import Hit, hit_from
from pipeline.search.query import MAX_K, Settings, search_params
from pipeline.search.query_embedding import Prepared
from pipeline.store import Store
from pipeline.store.filters import qdrant_filter, wanted_of
from pipeline.store.manifest import EncoderEntry, Version
from pipeline.store.measured import Distribution
from pipeline.store.protocol import VectorQuery
from pipeline.vectors import similarities, unit

__all__ = ["DIVERSITY_CANDIDATES", "Search", "at_most", "fold", "vector_query"]

DIVERSITY_CANDIDATES = (
    300  # candidates of a ranking by diversity; a fixed number, so that all its pages are of one ranking
)
_MOST_FETCHED = 3000  # points that one search holds in memory, with thumbnails of about 15 kB each
_MORE_EACH_TIME = 3
_ROUNDING = 1e-6  # calibrated scores are kept with six digits


@dataclass(frozen=True)
class Search:
    """Everything that one search depends on; `run` answers it.

    Attributes:
        entry: the encoder.
        without_ids: points that are no hits: the examples themselves.
        by: another named vector than the encoder's; it is compared by its dot product, and not calibrated.
    """

    version: Version
    entry: EncoderEntry
    settings: Settings
    likes: Sequence[Prepared]
    dislikes: Sequence[Prepared] = ()
    without_ids: Sequence[str] = ()
    by: str | None = None

    @property
    def _kept(self) -> Distribution | None:
        calibration = self.entry.calibration
        return calibration.of(self.settings.metric) if calibration and not self.by else None

    @property
    def threshold(self) -> float | None:
        """Score of a match; None where the version was not calibrated."""
        return self._kept.threshold if self._kept else None

    @property
    def close(self) -> float | None:
        """Score of a close match; None where it is not known, or where several things are searched from."""
        return self._kept.close if self._kept and not self._several else None

    def count(self, store: Store, scores: Sequence[float]) -> list[int]:
        """How many points reach each of `scores`, at most `MAX_K`. Only for a search from one thing."""
        least = replace(self.settings, matches_only=False, min_score=min(scores), diversity=0.0)
        points = replace(self, settings=least)._ask(store, MAX_K, fields=())
        unit = self._bits if self._hamming else 1
        found = np.asarray([point.score / unit for point in points])
        return [int((found >= score - _ROUNDING).sum()) for score in scores]

    def run(self, store: Store) -> tuple[list[Hit], bool]:
        """The hits from `offset` on, and whether there are more."""
        wanted = self.settings.offset + self.settings.k + 1
        most = DIVERSITY_CANDIDATES if self.settings.diversity else _MOST_FETCHED
        limit = min(most, wanted * (_MORE_EACH_TIME if self._selects else 1))
        while True:
            points = self._ask(store, limit)
            hits = self._select(points)
            if len(hits) >= wanted or len(points) < limit or limit == most or self._past_the_end(points):
                page = hits[self.settings.offset : wanted - 1]
                return page, len(hits) >= wanted
            limit = min(most, limit * _MORE_EACH_TIME)

    # --- the request to the store

    @property
    def _hamming(self) -> bool:
        return self.settings.metric == "hamming" and not self.by

    @property
    def _using(self) -> str:
        return self.by or self.entry.named_vector(self.settings.metric)

    @property
    def _several(self) -> bool:
        return len(self.likes) + len(self.dislikes) > 1

    @property
    def _selects(self) -> bool:
        return bool(self.settings.fold or self.settings.at_most)

    @property
    def _min_score(self) -> float | None:
        if not self.settings.matches_only:
            return self.settings.min_score
        if self.threshold is None:
            name = self.version.manifest.collection
            raise SimileError(
                f"'{name}' was indexed before scores were calibrated, so it has no score of a match; "
                "ask for a number of hits, or index it again."
            )
        return max(self.threshold, self.settings.min_score or -1.0)

    def _ask(self, store: Store, limit: int, fields: Sequence[str] | None = None) -> list[models.ScoredPoint]:
        likes, dislikes = self._rows(self.likes), self._rows(self.dislikes)
        plain = not self._several and not self.settings.diversity
        vectors = {self._using} if self._several else set()
        vectors |= {self.entry.vector} if self.settings.fold else set()
        wanted = wanted_of(self.version, self.settings.filters, self.settings.excluded)
        only = qdrant_filter(wanted, self.without_ids)
        query = vector_query(
            likes, dislikes, self.settings.combine, self.settings.diversity, DIVERSITY_CANDIDATES
        )
        asked: dict[str, Any] = {
            "using": self._using,
            "limit": limit,
            "query_filter": only,
            "score_threshold": self._stored_threshold() if plain else None,
            "with_vectors": sorted(vectors) or None,
            "fields": fields,
        }
        if wanted and not (self.settings.exact or self.by) and isinstance(query, np.ndarray):
            return filtered_query(store, Index.of(self.version), query, metric=self.settings.metric, **asked)
        params = search_params(
            self.version.manifest,
            limit,
            self.settings.exact,
            "cosine" if self.by else self.settings.metric,
            filtered=bool(wanted),
            by_originals=self.settings.exact and not (plain and store.allows_exact(self.version.name)),
        )
        return store.query(self.version.name, query, params=params, **asked)

    def _rows(self, examples: Sequence[Prepared]) -> np.ndarray:
        rows = [example.code if self._hamming else example.vector for example in examples]
        return np.stack(rows) if rows else np.empty((0, len(self._rows(self.likes)[0])), np.float32)

    def _stored_threshold(self) -> float | None:
        """The least score in the store's own unit: cosine, or D − 2h."""
        least = self._min_score
        if least is None:
            return None
        return (least - _ROUNDING) * (self._bits if self._hamming else 1.0)

    @property
    def _bits(self) -> int:
        return len(self.likes[0].code)

    # --- ranking its answer

    def _select(self, points: Sequence[models.ScoredPoint]) -> list[Hit]:
        hits = self._scored(points)
        least = self._min_score
        kept = [
            i
            for i, hit in enumerate(hits)
            if (least is None or hit.score >= least - _ROUNDING) and not _is_disliked(hit)
        ]
        hits = [hits[i] for i in kept]
        if self.settings.fold and hits:
            vectors = _vectors([points[i] for i in kept], self.entry.vector)
            hits = fold(hits, vectors, fold_cosine(self.entry.calibration))
        return at_most(hits, self.settings.at_most) if self.settings.at_most else hits

    def _scored(self, points: Sequence[models.ScoredPoint]) -> list[Hit]:
        if not self._several:
            unit = self._bits if self._hamming else 1
            # Beside cosines and codes, vectors have length 1 but for rounding.
            return [self._hit(point, min(1.0, point.score / unit)) for point in points]
        if not points:
            return []
        rows = _vectors(points, self._using)
        liked = similarities(self._rows(self.likes), rows)
        disliked = (
            similarities(self._rows(self.dislikes), rows) if self.dislikes else np.empty((len(rows), 0))
        )
        average = self.settings.combine == "average" or self.settings.diversity
        scores = liked.mean(axis=1) if average else liked.max(axis=1)
        return [
            self._hit(
                point,
                float(scores[i]),
                like_scores=tuple(liked[i].tolist()),
                dislike_scores=tuple(disliked[i].tolist()),
            )
            for i, point in enumerate(points)
        ]

    def _hit(self, point: models.ScoredPoint, score: float, **scores: Any) -> Hit:
        distance = round(self._bits * (1 - score) / 2) if self._hamming else 1.0 - score
        threshold = self.threshold
        return hit_from(
            str(point.id),
            point.payload or {},
            self.version.manifest.labels,
            score,
            distance,
            unusual=unusualness(score, self._kept) if self._kept else None,
            weak=None if threshold is None else score < threshold - _ROUNDING,
            **scores,
        )

    def _past_the_end(self, points: Sequence[models.ScoredPoint]) -> bool:
        """Whether no hit can follow the last point: it is below the least score, or, where the best score
        ranks, nearer to a dislike than to any like.
        """
        if not points or self.settings.diversity:
            return False
        least, last = self._min_score, self._scored(points[-1:])[0]
        below = least is not None and last.score < least - _ROUNDING
        return below or (self.settings.combine == "any" and _is_disliked(last))


def _is_disliked(hit: Hit) -> bool:
    """Nearer to a dislike than to any like; what is as near to both stays, as equal codes often are."""
    return bool(hit.dislike_scores) and max(hit.dislike_scores) > max(hit.like_scores) + _ROUNDING


def _vectors(points: Sequence[models.ScoredPoint], name: str) -> np.ndarray:
    return np.asarray([point.vector[name] for point in points], np.float32)  # type: ignore[index, call-overload]


def vector_query(
    likes: np.ndarray, dislikes: np.ndarray, combine: str, diversity: float, candidates: int
) -> VectorQuery:
    """What the store is asked.

    Args:
        likes: (L, D) float32, L ≥ 1; `dislikes`: (M, D).
        combine: `any`: Qdrant's best score, nearest to one like and not nearer to a dislike. `average`, and
            always with diversity: one vector, Qdrant's 2 · mean(likes) − mean(dislikes) of unit vectors.
        diversity: 0 to 1.
        candidates: nearest points that diversity chooses from.
    """
    if len(likes) + len(dislikes) > 1 and combine == "any" and not diversity:
        given = models.RecommendInput(
            positive=unit(likes).tolist(),
            negative=unit(dislikes).tolist() or None,
            strategy=models.RecommendStrategy.BEST_SCORE,
        )
        return models.RecommendQuery(recommend=given)
    vector: np.ndarray = likes[0]
    if len(likes) > 1 or len(dislikes):
        vector = unit(likes).mean(axis=0)
    if len(dislikes):
        vector = 2 * vector - unit(dislikes).mean(axis=0)
    if not diversity:
        return vector
    mmr = models.Mmr(diversity=diversity, candidates_limit=candidates)
    return models.NearestQuery(nearest=vector.tolist(), mmr=mmr)


def fold(hits: Sequence[Hit], vectors: np.ndarray, cosine: float) -> list[Hit]:
    """The first of every group of nearly equal pictures, with the ids of the others in `copies`.

    Args:
        hits: best first; `vectors` (N, D): theirs.
        cosine: from which two pictures are nearly equal.
    """
    kept: list[int] = []
    copies: dict[int, list[str]] = {}
    near = similarities(vectors, vectors) >= cosine
    for place, hit in enumerate(hits):
        first = next((earlier for earlier in kept if near[place, earlier]), None)
        if first is None:
            kept.append(place)
        else:
            copies.setdefault(first, []).append(hit.id)
    return [replace(hits[place], copies=tuple(copies.get(place, ()))) for place in kept]


def at_most(hits: Sequence[Hit], limits: Mapping[str, int]) -> list[Hit]:
    """Leave out hits whose value of a field has occurred often enough. Hits without the field stay."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for hit in hits:
        keys = [(field, str(value)) for field in limits for value in values_of(hit.payload.get(field))]
        if all(seen[key] < limits[key[0]] for key in keys):
            seen.update(keys)
            kept.append(hit)
    return kept
