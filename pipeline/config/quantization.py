"""How vectors are compressed: YAML -> what Qdrant is told."""

import math
from typing import Any, Literal

from pydantic import Field, model_validator
from qdrant_client import models

from pipeline.config.memory import placed
from pipeline.config.yaml_file import Frozen

__all__ = ["CODE_QUANTIZATION", "QuantizationConfig"]

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


class QuantizationConfig(Frozen):
    """Compression of the float vectors, kept in RAM while the originals stay on disk.

    `binary`: bits 1, 1.5 or 2 a component, query_bits 1, 4 or 8. `turbo`: bits 1, 1.5, 2 or 4 a component; a
    server of Qdrant 1.18 or newer. `scalar`: one byte a component, quantile. `product`: compression x4 to
    x64. `none`: floats only.
    """

    kind: Literal["binary", "turbo", "scalar", "product", "none"] = "binary"
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
        kind = given.get("kind", "binary")
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

    def to_qdrant(self, memory: models.Memory = models.Memory.PINNED) -> models.QuantizationConfig | None:
        """What Qdrant calls this, kept in `memory`; None when there is no quantization."""
        kept: dict[str, Any] = placed(memory, "always_ram")
        match self.kind:
            case "binary":
                return models.BinaryQuantization(
                    binary=models.BinaryQuantizationConfig(
                        **kept,
                        encoding=models.BinaryQuantizationEncoding(_ENCODINGS[self.bits or 1]),
                        query_encoding=models.BinaryQuantizationQueryEncoding(
                            _QUERY_ENCODINGS[self.query_bits or 8]
                        ),
                    )
                )
            case "turbo":
                bits = models.TurboQuantBitSize(_TURBO_BITS[self.bits or 2])
                return models.TurboQuantization(turbo=models.TurboQuantQuantizationConfig(**kept, bits=bits))
            case "scalar":
                return models.ScalarQuantization(
                    scalar=models.ScalarQuantizationConfig(
                        type=models.ScalarType.INT8, quantile=self.quantile, **kept
                    )
                )
            case "product":
                ratio = models.CompressionRatio(self.compression or "x16")
                return models.ProductQuantization(
                    product=models.ProductQuantizationConfig(compression=ratio, **kept)
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


CODE_QUANTIZATION = QuantizationConfig(kind="binary", bits=1)  # of ±1 codes, which loses nothing of them
