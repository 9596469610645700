"""The graph over each vector, and the defaults of a search: YAML -> what Qdrant is told."""

from typing import Literal

from pydantic import Field
from qdrant_client import models

from pipeline.config.yaml_file import Frozen

__all__ = ["HnswConfig", "SearchConfig"]

Metric = Literal["cosine", "hamming"]
# Among 40,000 of a million points, 40 candidates a hit found 0.985 of the nearest ten, 64 found 0.995, in the
# same time. Each of them is read from the disk, so that many hits have fewer.
_FEW_OVERSAMPLING, _FEW_RESCORED = 64.0, 1024
# Of a million points the nearest 150, rescored out of 3,150, take 7 ms; out of 1,600 they miss twice as many.
_NEAREST_OVERSAMPLING, _NEAREST_CANDIDATES = 21, 4_000


class HnswConfig(Frozen):
    """The graph over each vector."""

    m: int = Field(16, ge=4, le=128, description="edges a point; twice as many on the lowest level")
    ef_construct: int = Field(128, ge=8, le=2048, description="candidates looked at for each point")
    payload_m: int | None = Field(
        None, ge=0, le=128, description="edges a point within each value of a filter field; default: m"
    )
    # A graph loses hits under a filter: 4 % of 50,000 points are 2,000, of whose nearest it found 0.981.
    # Comparing them all finds 1.0, sooner.
    full_scan_kb: int = Field(
        50_000,
        ge=10,
        description="kilobytes of vectors up to which a collection, or what a filter leaves of it, is "
        "compared without the graph; so a collection below has none",
    )

    # Of 50,000 codes of 512 bits the graph finds the nearest in 0.3 ms and misses some; comparing them all
    # takes 0.6 ms, half of the RAM, and a third less of the time to index.
    codes_from: int = Field(
        100_000, ge=0, description="points from which codes get a graph; fewer are compared one by one"
    )

    def over_vectors(self, points: int, dimension: int) -> bool:
        """Whether so many vectors get a graph: in fewer the engine would never walk it."""
        return 4 * dimension * points > 1024 * self.full_scan_kb

    def scan_kb(self, points: int | None, dimension: int) -> int:
        """Kilobytes of vectors that a filter may leave and that are still compared one by one.

        It is `full_scan_kb`, and up to twice as much where that is a twentieth of all vectors or less: of a
        million vectors, two fields that leave 40,000 lost a tenth of the hits in the graph.
        """
        twentieth = 4 * dimension * (points or 0) // (1024 * 20)
        return min(2 * self.full_scan_kb, max(self.full_scan_kb, twentieth))

    def scanned_points(self, points: int, dimension: int) -> int:
        """How many points a filter may leave that are still compared one by one."""
        return (
            points
            if not self.over_vectors(points, dimension)
            else (1024 * self.scan_kb(points, dimension) // (4 * dimension))
        )

    def over_codes(self, points: int) -> bool:
        """Whether so many codes get a graph."""
        return points >= self.codes_from

    def link_bytes(self, points: int) -> float:
        """About the most that the graph takes in RAM for one point.

        2m links, each of as many bits as a point's number has.
        """
        return 2 * self.m * max(1, points - 1).bit_length() / 8


class SearchConfig(Frozen):
    """Defaults of an approximate query."""

    oversampling: float = Field(8.0, ge=1.0, le=64.0, description="candidates rescored, in multiples of k")
    rescore: bool = Field(True, description="compare the candidates' originals, which lie on disk")
    hnsw_ef: int = Field(200, ge=8, le=4096, description="candidates kept while walking the graph")
    acorn: bool = Field(
        True, description="look beyond filtered-out neighbours; two ANDed fields lose hits without it"
    )
    acorn_max_selectivity: float = Field(
        0.4, ge=0.0, le=1.0, description="filters that leave a larger share do without ACORN"
    )
    min_recall: float = Field(0.95, ge=0.0, le=1.0, description="the job warns when it measures less")

    def to_qdrant(
        self,
        k: int,
        *,
        exact: bool = False,
        metric: Metric = "cosine",
        filtered: bool = False,
        codes_scanned: bool = False,
        few: bool = False,
    ) -> models.SearchParams:
        """Parameters of one query for `k` hits.

        Codes are compared without loss by their quantized form, so Hamming needs no rescoring. `exact` makes
        Qdrant read the originals from disk whatever it is told of quantization. Where codes have no graph
        (`codes_scanned`), every search by Hamming distance compares all of them in RAM, which is exact.
        `few` points pass the filter: the engine compares all of their codes, so that more can be rescored.
        """
        if exact and metric == "hamming" and codes_scanned:
            in_ram = models.QuantizationSearchParams(ignore=False, rescore=False)
            return models.SearchParams(exact=False, quantization=in_ram)
        if exact:
            return models.SearchParams(
                exact=True,
                quantization=models.QuantizationSearchParams(ignore=metric != "hamming", rescore=False),
            )
        rescore = self.rescore and metric == "cosine"
        # A filter leaves neighbours farther apart: the walk keeps twice as many then, and all are rescored.
        width = self.hnsw_ef * (2 if filtered else 1)
        oversampling = max(self.oversampling, width / k) if filtered else self.oversampling
        if few:
            oversampling = max(oversampling, min(_FEW_OVERSAMPLING, _FEW_RESCORED / k))
        quantization = models.QuantizationSearchParams(
            ignore=False, rescore=rescore, oversampling=oversampling if rescore else None
        )
        acorn = models.AcornSearchParams(enable=True, max_selectivity=self.acorn_max_selectivity)
        return models.SearchParams(
            exact=False,
            hnsw_ef=max(width, k),
            quantization=quantization,
            acorn=acorn if filtered and self.acorn else None,
        )

    def to_nearest_of_all(self, k: int, *, metric: Metric = "cosine") -> models.SearchParams:
        """Parameters of a query without a filter for the nearest `k` points, some of which pass a filter.

        Codes order near points well and farther ones badly, so more candidates are rescored for each of
        these points than for the first hits.
        """
        candidates = max(k, min(_NEAREST_OVERSAMPLING * k, _NEAREST_CANDIDATES))
        rescore = self.rescore and metric == "cosine"
        return models.SearchParams(
            exact=False,
            hnsw_ef=max(self.hnsw_ef, candidates),
            quantization=models.QuantizationSearchParams(
                ignore=False, rescore=rescore, oversampling=candidates / k if rescore else None
            ),
        )
