"""What a job measured of a version before it went live; part of its manifest."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.config.graph_and_search import Metric

__all__ = ["Calibration", "Distribution", "IndexCheck", "ManifestPart", "MetricCheck", "ResidentBytes"]


class ManifestPart(BaseModel):
    """Frozen. Unknown keys are skipped: a newer Simile may have written them."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)


class Distribution(ManifestPart):
    """Scores of random pairs by one metric, as `pipeline.index_quality.calibration` keeps them."""

    scores: list[float] = Field(description="ascending; cosine, or 1 − 2h/B for Hamming distance h of B bits")
    further: list[float] = Field(description="share of pairs whose score is lower than each of `scores`")
    threshold: float = Field(description="score of a match")
    threshold_tail: float = Field(description="share of pairs that reach the threshold")
    close: float | None = Field(None, description="least score of a close match; None in older manifests")
    images: int = 0
    pairs: int = 0
    seed: int = 0


class Calibration(ManifestPart):
    """How unusual a score is in this version, by metric."""

    cosine: Distribution
    hamming: Distribution

    def of(self, metric: Metric) -> Distribution:
        """The distribution of one metric."""
        return self.hamming if metric == "hamming" else self.cosine


class MetricCheck(ManifestPart):
    """Recall@10 in [0, 1], milliseconds of a query, and of an exact one (None: the server forbids it).

    `path` says what answered: `scan`, every code was compared, or `graph`; None in older manifests.
    """

    recall: float
    ms: float
    exact_ms: float | None
    path: Literal["scan", "graph"] | None = None


class ResidentBytes(ManifestPart):
    """RAM in bytes a picture: what vectors and codes are compared by, the graphs' links, the payload indexes
    of the whole version (None in older manifests), and the sum."""

    model_config = ConfigDict(populate_by_name=True)

    vector: float
    code: float
    links: float
    payload: float | None = None
    total: float
    found_in: Literal["files", "server", "estimate"] = Field(alias="from")


class IndexCheck(ManifestPart):
    """What the job measured of a version before it went live; nothing where there were no two pictures."""

    queries: int
    protocol: str
    oversampling: float | None = None
    cosine: MetricCheck | None = None
    hamming: MetricCheck | None = None
    bytes: ResidentBytes | None = None

    def of(self, metric: Metric) -> MetricCheck | None:
        """The figures of one metric."""
        return self.hamming if metric == "hamming" else self.cosine
