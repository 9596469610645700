"""How to search: metric, how many, filters, exactness, diversity; and what Qdrant calls these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.search.version import Version
from qdrant_config import SearchConfig

__all__ = ["MAX_K", "METRICS", "Metric", "Settings", "qdrant_filter", "search_params"]

MAX_K = 1000
Metric = Literal["cosine", "hamming"]
METRICS: tuple[Metric, ...] = ("cosine", "hamming")


@dataclass(frozen=True)
class Settings:
    """One search.

    Attributes:
        metric: `cosine` over prepared vectors, or `hamming` over their codes.
        k: hits wanted, 1 to 1,000; `offset`: of the ranking, how many are left out before them.
        filters: payload field -> value, or list of values of which one must match; fields are ANDed.
        excluded: payload field -> values that no hit may have ("not the same artist").
        exact: compare with every point instead of the HNSW graph over quantized vectors.
        encoder: one of the collection's; the first where none is named.
        combine: several likes: `any`, a hit is near one of them; `average`, near their mean.
        diversity: 0 to 1; above 0 hits are chosen by maximal marginal relevance (Carbonell & Goldstein 1998)
            to the likes' mean, 1 − diversity being the paper's λ.
        matches_only: hits at or above the score that the collection was calibrated to.
        min_score: hits at or above this `Hit.score`.
        fold: one hit for pictures that are nearly the same; the others are named in it.
        at_most: payload field -> how many hits may share a value of it ("two of each artist").
    """

    metric: Metric = "cosine"
    k: int = 10
    offset: int = 0
    filters: Mapping[str, Any] | None = None
    excluded: Mapping[str, Sequence[Any]] | None = None
    exact: bool = False
    encoder: str | None = None
    combine: Literal["any", "average"] = "any"
    diversity: float = 0.0
    matches_only: bool = False
    min_score: float | None = None
    fold: bool = False
    at_most: Mapping[str, int] | None = None

    def check(self, version: Version) -> None:
        """Refuses what is out of bounds, and fields that the version does not know."""
        if self.metric not in METRICS:
            raise SimileError(f"Metric '{self.metric}' is not known; choose {' or '.join(METRICS)}.")
        if not 1 <= self.k <= MAX_K:
            raise SimileError(f"k is {self.k}; it must be between 1 and {MAX_K}.")
        if not 0 <= self.offset <= MAX_K:
            raise SimileError(f"offset is {self.offset}; it must be between 0 and {MAX_K}.")
        if self.combine not in ("any", "average"):
            raise SimileError(f"combine is '{self.combine}'; choose any or average.")
        if not 0 <= self.diversity <= 1:
            raise SimileError(f"diversity is {self.diversity}; it must be between 0 and 1.")
        if self.min_score is not None and not -1 <= self.min_score <= 1:
            raise SimileError(f"min_score is {self.min_score}; scores lie between -1 and 1.")
        for field, most in (self.at_most or {}).items():
            if most < 1:
                raise SimileError(f"at_most is {most} for '{field}'; it must be 1 or more.")
        version.check_fields([*(self.filters or {}), *(self.excluded or {}), *(self.at_most or {})])


def search_params(
    settings: Mapping[str, Any], k: int, exact: bool, metric: Metric = "cosine", filtered: bool = False
) -> models.SearchParams:
    """Exact: every point, in full precision. Otherwise the graph, as the version's settings say."""
    return SearchConfig.model_validate(settings).to_qdrant(k, exact=exact, metric=metric, filtered=filtered)


def qdrant_filter(
    filters: Mapping[str, Any] | None,
    excluded: Mapping[str, Sequence[Any]] | None = None,
    without_ids: Sequence[str] = (),
) -> models.Filter | None:
    """Field -> value or values, ANDed, and what must not be; empty lists ask nothing."""
    must = [_condition(field, wanted) for field, wanted in (filters or {}).items() if _asks(wanted)]
    must_not: list[Any] = [
        _condition(field, list(values)) for field, values in (excluded or {}).items() if values
    ]
    if without_ids:
        must_not.append(models.HasIdCondition(has_id=list(without_ids)))
    if not must and not must_not:
        return None
    return models.Filter(must=must or None, must_not=must_not or None)


def _asks(wanted: Any) -> bool:
    return not isinstance(wanted, list | tuple | set) or bool(wanted)


def _condition(field: str, wanted: Any) -> models.FieldCondition:
    if isinstance(wanted, list | tuple | set):
        return models.FieldCondition(key=field, match=models.MatchAny(any=list(wanted)))
    return models.FieldCondition(key=field, match=models.MatchValue(value=wanted))
