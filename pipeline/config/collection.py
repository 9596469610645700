"""YAML of one collection -> frozen pydantic models -> what Qdrant is told."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.graph_and_search import HnswConfig, SearchConfig
from pipeline.config.memory import MemoryConfig
from pipeline.config.quantization import QuantizationConfig
from pipeline.config.yaml_file import Frozen, load_yaml
from pipeline.images.palette import COLOUR_VECTOR

__all__ = ["CollectionConfig", "EncoderConfig", "ProjectionConfig", "load_config"]

_BINARY_BITS = 512  # 64 bytes in RAM; enough signs for recall@10 of 0.99 and more, see docs/vectors.md
CODE_SUFFIX = "_code"  # the ±1 code of the vector `cnn` is the vector `cnn_code`


class EncoderConfig(Frozen):
    """One encoder of a collection and the name of its vector in Qdrant."""

    name: str
    vector: str = ""

    @model_validator(mode="before")
    @classmethod
    def _of_a_column(cls, given: Any) -> Any:
        """`name: precomputed` with `column: embedding` is the encoder `precomputed:embedding`."""
        if not isinstance(given, dict):
            return given
        told = dict(given)
        column = told.pop("column", None)
        if told.get("name") == "precomputed" and isinstance(column, str) and column:
            told["name"] = f"precomputed:{column}"
        elif told.get("name") == "precomputed":
            raise ValueError("vectors that were made elsewhere need `column:`, the name of their column")
        elif column is not None:
            raise ValueError("`column:` goes with `name: precomputed`; leave it out")
        return told

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
    dimension: int = Field(
        512, ge=1, le=4096, description="components that are kept; the encoder's width if smaller"
    )
    # One sign a component is too little where a network's vectors have few components.
    bits: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="components of a stored vector; more than are kept are made by a tight frame. Default: "
        "512 for binary codes, else as many as are kept",
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
    url_column: str | None = None
    filters: list[str] | None = Field(
        None, description="payload fields offered as filters; default: all columns that can be"
    )
    lists: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        {}, description="text columns that hold several values -> what stands between them, such as `;`"
    )
    credit: str | None = None
    encoders: list[EncoderConfig] = Field(min_length=1)
    projection: ProjectionConfig = ProjectionConfig()
    quantization: QuantizationConfig = QuantizationConfig()
    search: SearchConfig = SearchConfig()
    hnsw: HnswConfig = HnswConfig()
    memory: MemoryConfig = MemoryConfig()
    shard_number: int = Field(1, ge=1)
    replication_factor: int = Field(1, ge=1)
    thumbnail_files_above: int | None = Field(
        None,
        ge=0,
        description="bytes above which a thumbnail is a file on the home; default: none is",
    )
    max_reject_fraction: float = Field(0.05, ge=0.0, le=1.0)

    @property
    def stored_bits(self) -> int | None:
        """Components of a stored vector that the projection shall make; None: as many as it keeps."""
        if self.projection.kind == "none":
            return None
        binary = self.quantization.kind == "binary"
        return self.projection.bits or (_BINARY_BITS if binary else None)

    def stored_dimension(self, width: int) -> int:
        """Components of a stored vector of an encoder whose embedding has `width`."""
        if self.projection.kind == "none":
            return width
        return max(min(width, self.projection.dimension), self.stored_bits or 0)

    @model_validator(mode="after")
    def _enough_bits(self) -> "CollectionConfig":
        bits = self.projection.bits
        if bits is not None and self.projection.kind == "none":
            raise ValueError("projection.bits needs a projection; leave it out, or leave out kind: none")
        if bits is not None and bits < self.projection.dimension:
            raise ValueError(
                f"projection.bits is {bits}, fewer than the {self.projection.dimension} components that are "
                "kept; lower projection.dimension as well"
            )
        return self

    @field_validator("encoders")
    @classmethod
    def _distinct_vectors(cls, encoders: list[EncoderConfig]) -> list[EncoderConfig]:
        names = [encoder.vector_name for encoder in encoders]
        if COLOUR_VECTOR in names:
            raise ValueError(f"the vector '{COLOUR_VECTOR}' holds colours; give another name as `vector:`")
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
