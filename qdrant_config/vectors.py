"""How vectors are prepared, compressed, indexed and searched: YAML -> what Qdrant is told."""

import math
from typing import Any, Literal

from pydantic import Field, model_validator
from qdrant_client import models

from qdrant_config._frozen import Frozen

__all__ = ["HnswConfig", "ProjectionConfig", "QuantizationConfig", "SearchConfig"]

Metric = Literal["cosine", "hamming"]

# What each kind may be told, and what it is told by default. A key of another kind is refused by name.
_BITS: dict[str, tuple[float, ...]] = {"binary": (1, 1.5, 2), "turbo": (1, 1.5, 2, 4)}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "binary": {"bits": 1, "query_bits": 8},
    "turbo": {"bits": 2},
    "scalar": {"quantile": 0.99},
    "product": {"compression": "x16"},
    "none": {},
}
_ENCODINGS = {1: "one_bit", 1.5: "one_and_half_bits", 2: "two_bits"}
_QUERY_ENCODINGS = {1: "binary", 4: "scalar4bits", 8: "scalar8bits"}
_TURBO_BITS = {1: "bits1", 1.5: "bits1_5", 2: "bits2", 4: "bits4"}


class ProjectionConfig(Frozen):
    """How raw network outputs become prepared vectors and codes; see pipeline/projection.py."""

    @model_validator(mode="before")
    @classmethod
    def _of_a_word(cls, given: Any) -> Any:
        """`projection: none` is short for `projection: {kind: none}`."""
        return {"kind": given} if isinstance(given, str) else given

    kind: Literal["itq", "none"] = "itq"
    # 224 components of 2 bits and Turbo's two numbers are 64 bytes: recall@10 at 4-fold oversampling is 0.997
    # on CIFAR-10, where 512 components of 1 bit, 64 bytes too, reach 0.982.
    dimension: int = Field(
        224, ge=1, le=4096, description="components of a vector; the encoder's width if smaller"
    )
    code_bits: Literal[64, 128, 256, 512] = Field(
        512, description="components that make a code, one bit each; the encoder's width if smaller"
    )
    whitening: float = Field(
        0.5, ge=0.0, le=1.0, description="power of the deviation that a component is divided by"
    )
    sample: int = Field(20_000, ge=2, description="staged vectors the projection is fitted on")


class QuantizationConfig(Frozen):
    """Compression of the float vectors, kept in RAM while the originals stay on disk.

    `turbo`: bits 1, 1.5, 2 or 4 a component; a server of Qdrant 1.18 or newer. `binary`: bits 1, 1.5 or 2,
    query_bits 1, 4 or 8. `scalar`: one byte a component, quantile. `product`: compression x4 to x64.
    `none`: floats only.
    """

    kind: Literal["turbo", "binary", "scalar", "product", "none"] = "turbo"
    bits: float | None = Field(None, description="bits a component; binary and turbo")
    query_bits: Literal[1, 4, 8] | None = Field(None, description="bits a component of the query; binary")
    quantile: float | None = Field(None, ge=0.5, le=1.0, description="share of values not cut off; scalar")
    compression: Literal["x4", "x8", "x16", "x32", "x64"] | None = Field(None, description="product")

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        """Fill in the defaults of the kind; refuse what belongs to another kind."""
        if not isinstance(given, dict):
            return given
        kind = given.get("kind", "turbo")
        defaults = _DEFAULTS.get(kind)
        if defaults is None:
            return given  # pydantic names the kinds that there are
        given = {key: value for key, value in given.items() if value is not None}
        strange = sorted(set(given) & set(cls.model_fields) - {"kind", *defaults})
        if strange:
            known = ", ".join(defaults) or "nothing else"
            raise ValueError(f"'{kind}' does not take {', '.join(strange)}; it takes {known}")
        return defaults | given

    @model_validator(mode="after")
    def _known_bits(self) -> "QuantizationConfig":
        allowed = _BITS.get(self.kind)
        if allowed and self.bits not in allowed:
            there = ", ".join(f"{bits:g}" for bits in allowed)
            raise ValueError(f"'{self.kind}' has {there} bits a component, not {self.bits:g}")
        return self

    def to_qdrant(self) -> models.QuantizationConfig | None:
        """What Qdrant calls this; None when there is no quantization."""
        match self.kind:
            case "binary":
                return models.BinaryQuantization(
                    binary=models.BinaryQuantizationConfig(
                        always_ram=True,
                        encoding=models.BinaryQuantizationEncoding(_ENCODINGS[self.bits or 1]),
                        query_encoding=models.BinaryQuantizationQueryEncoding(
                            _QUERY_ENCODINGS[self.query_bits or 8]
                        ),
                    )
                )
            case "turbo":
                bits = models.TurboQuantBitSize(_TURBO_BITS[self.bits or 2])
                return models.TurboQuantization(
                    turbo=models.TurboQuantQuantizationConfig(always_ram=True, bits=bits)
                )
            case "scalar":
                return models.ScalarQuantization(
                    scalar=models.ScalarQuantizationConfig(
                        type=models.ScalarType.INT8, quantile=self.quantile, always_ram=True
                    )
                )
            case "product":
                ratio = models.CompressionRatio(self.compression or "x16")
                return models.ProductQuantization(
                    product=models.ProductQuantizationConfig(compression=ratio, always_ram=True)
                )
        return None

    def code_bytes(self, dimension: int) -> int:
        """Bytes of RAM that the engine keeps for one vector of `dimension` components.

        Measured on files of Qdrant's own (tests/store/test_quantization.py): binary codes fill words of
        128 bits, scalar ones words of 16 bytes and a number, Turbo ones carry two numbers.
        """
        match self.kind:
            case "binary":
                return 16 * math.ceil(dimension * (self.bits or 1) / 128)
            case "turbo":
                return math.ceil(dimension * (self.bits or 2) / 8) + 8
            case "scalar":
                return 16 * math.ceil(dimension / 16) + 4
            case "product":
                return math.ceil(4 * dimension / int((self.compression or "x16")[1:]))
        return 4 * dimension


class HnswConfig(Frozen):
    """The graph over each vector."""

    m: int = Field(16, ge=4, le=128, description="edges a point; twice as many on the lowest level")
    ef_construct: int = Field(128, ge=8, le=2048, description="candidates looked at for each point")
    payload_m: int | None = Field(
        None, ge=0, le=128, description="edges a point within each value of a filter field; default: m"
    )
    # 4 % of 50,000 points are 2,000: the graph found 0.981 of their nearest, comparing all finds 1.0, sooner.
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

    oversampling: float = Field(4.0, ge=1.0, le=64.0, description="candidates rescored, in multiples of k")
    rescore: bool = Field(True, description="compare the candidates' originals, which lie on disk")
    hnsw_ef: int = Field(128, ge=8, le=4096, description="candidates kept while walking the graph")
    acorn: bool = Field(
        True, description="look beyond filtered-out neighbours; two ANDed fields lose hits without it"
    )
    acorn_max_selectivity: float = Field(
        0.4, ge=0.0, le=1.0, description="filters that leave a larger share do without ACORN"
    )
    min_recall: float = Field(0.95, ge=0.0, le=1.0, description="the job warns when it measures less")

    def to_qdrant(
        self, k: int, *, exact: bool = False, metric: Metric = "cosine", filtered: bool = False
    ) -> models.SearchParams:
        """Parameters of one query for `k` hits.

        Codes are compared without loss by their quantized form, so Hamming needs no rescoring.
        """
        if exact:
            codes = models.QuantizationSearchParams(ignore=False, rescore=False)
            floats = models.QuantizationSearchParams(ignore=True)
            return models.SearchParams(exact=True, quantization=codes if metric == "hamming" else floats)
        rescore = self.rescore and metric == "cosine"
        # A filter leaves neighbours farther apart: the walk keeps twice as many then, and all are rescored.
        width = self.hnsw_ef * (2 if filtered else 1)
        oversampling = max(self.oversampling, width / k) if filtered else self.oversampling
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
