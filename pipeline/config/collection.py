"""YAML of one collection -> frozen pydantic models -> what Qdrant is told."""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.graph_and_search import HnswConfig, SearchConfig
from pipeline.config.quantization import QuantizationConfig
from pipeline.config.yaml_file import Frozen, load_yaml

__all__ = ["CollectionConfig", "EncoderConfig", "ProjectionConfig", "load_config"]

CODE_SUFFIX = "_code"  # the ±1 code of the vector `cnn` is the vector `cnn_code`


class EncoderConfig(Frozen):
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


class ProjectionConfig(Frozen):
    """How raw network outputs become prepared vectors and codes; see pipeline/projection/projection.py."""

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


class CollectionConfig(Frozen):
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
    hnsw: HnswConfig = HnswConfig()
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


def load_config(path: str | Path) -> CollectionConfig:
    """Read and check one collection's YAML.

    Args:
        path: the file, such as `qdrant_config/cifar10.yaml`.

    Raises:
        SimileError: the file is missing, is not YAML, or says something that it cannot say.
    """
    return load_yaml(path, CollectionConfig)
