"""YAML of one collection -> frozen pydantic models -> what Qdrant is told."""

import re
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator

from pipeline.errors import SimileError
from qdrant_config._frozen import Frozen
from qdrant_config.vectors import HnswConfig, ProjectionConfig, QuantizationConfig, SearchConfig

__all__ = [
    "CollectionConfig",
    "EncoderConfig",
    "HnswConfig",
    "ProjectionConfig",
    "QuantizationConfig",
    "SearchConfig",
    "load_config",
]

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


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        where = ".".join(map(str, item["loc"])) or "the file"
        if item["type"] == "extra_forbidden":
            lines.append(f"unknown key '{where}'; known keys: {', '.join(_known_keys(item['loc']))}")
        else:
            lines.append(f"{where}: {item['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)


def _known_keys(where: tuple[int | str, ...]) -> list[str]:
    """Keys of the section that holds the unknown one."""
    section = CollectionConfig.model_fields.get(str(where[0])) if len(where) > 1 else None
    kind = section.annotation if section else CollectionConfig
    kind = next(iter(get_args(kind)), kind)  # list[EncoderConfig] -> EncoderConfig
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


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
