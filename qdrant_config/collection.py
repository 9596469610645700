"""YAML of one collection -> frozen pydantic models -> what Qdrant is told."""

import re
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from qdrant_client import models

from pipeline.errors import SimileError

__all__ = [
    "CollectionConfig",
    "EncoderConfig",
    "ProjectionConfig",
    "QuantizationConfig",
    "SearchConfig",
    "load_config",
]

CODE_SUFFIX = "_code"  # the ±1 code of the vector `cnn` is the vector `cnn_code`


class _Frozen(BaseModel):
    """Unknown keys are refused, so that a misspelt setting cannot be ignored in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProjectionConfig(_Frozen):
    """How raw network outputs become prepared vectors and codes; see pipeline/projection.py."""

    kind: Literal["itq", "none"] = "itq"
    dimension: int = Field(512, ge=1, le=4096, description="components kept; the encoder's width if smaller")
    sample: int = Field(20_000, ge=2, description="staged vectors the projection is fitted on")


class QuantizationConfig(_Frozen):
    """Binary quantization of the float vectors, kept in RAM while the originals stay on disk."""

    kind: Literal["binary", "none"] = "binary"
    query_bits: Literal[1, 4, 8] = Field(8, description="bits a query component is encoded with")

    def to_qdrant(self) -> models.BinaryQuantization | None:
        """What Qdrant calls this; None when there is no quantization."""
        if self.kind == "none":
            return None
        encoding = {1: "binary", 4: "scalar4bits", 8: "scalar8bits"}[self.query_bits]
        return models.BinaryQuantization(
            binary=models.BinaryQuantizationConfig(
                always_ram=True, query_encoding=models.BinaryQuantizationQueryEncoding(encoding)
            )
        )


class SearchConfig(_Frozen):
    """Defaults of an approximate query."""

    oversampling: float = Field(4.0, ge=1.0, le=64.0, description="candidates rescored, in multiples of k")
    hnsw_ef: int = Field(128, ge=8, le=4096)


class EncoderConfig(_Frozen):
    """One encoder of a collection and the name of its vector in Qdrant."""

    name: str
    vector: str = ""

    @property
    def vector_name(self) -> str:
        """`vector` if given; otherwise the encoder's name with anything unusual made a dash."""
        return self.vector or re.sub(r"[^a-z0-9]+", "-", self.name.lower().split(":", 1)[-1]).strip("-")

    @property
    def code_name(self) -> str:
        """The named vector that holds this encoder's ±1 codes."""
        return self.vector_name + CODE_SUFFIX


class CollectionConfig(_Frozen):
    """Everything that one YAML file in qdrant_config/ may say."""

    collection: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str = ""
    source: str
    sample: str | None = None
    config: str | None = None
    split: str = "train"
    image: str | None = None
    filters: list[str] | None = Field(
        None, description="payload fields offered as filters; default: all labels"
    )
    credit: str | None = None
    encoders: list[EncoderConfig] = Field(min_length=1)
    projection: ProjectionConfig = ProjectionConfig()
    quantization: QuantizationConfig = QuantizationConfig()
    search: SearchConfig = SearchConfig()
    hnsw_m: int = Field(16, ge=4, le=128)
    hnsw_ef_construct: int = Field(128, ge=8, le=2048)
    shard_number: int = Field(1, ge=1)
    replication_factor: int = Field(1, ge=1)
    max_reject_fraction: float = Field(0.05, ge=0.0, le=1.0)

    @field_validator("encoders")
    @classmethod
    def _distinct_vectors(cls, encoders: list[EncoderConfig]) -> list[EncoderConfig]:
        names = [encoder.vector_name for encoder in encoders]
        if len(set(names)) < len(names):
            raise ValueError(f"two encoders would share one vector name ({', '.join(names)}); set `vector:`")
        return encoders


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        where = ".".join(map(str, item["loc"])) or "the file"
        if item["type"] == "extra_forbidden":
            lines.append(f"unknown key '{where}'; known keys: {', '.join(CollectionConfig.model_fields)}")
        else:
            lines.append(f"{where}: {item['msg']}")
    return "; ".join(lines)


def load_config(path: str | Path) -> CollectionConfig:
    """Read and check one collection's YAML.

    Args:
        path: the file, such as `qdrant_config/cifar10.yaml`.

    Raises:
        SimileError: the file is missing, is not YAML, or says something that it cannot say.
    """
    path = Path(path)
    if not path.is_file():
        there = ", ".join(sorted(str(p) for p in Path(__file__).parent.glob("*.yaml")))
        raise SimileError(f"No configuration at '{path}'. There are: {there}.")
    try:
        return CollectionConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except yaml.YAMLError as error:
        raise SimileError(f"'{path}' is not valid YAML: {error}") from error
    except ValidationError as error:
        raise SimileError(f"'{path}': {_explain(error)}.") from error
