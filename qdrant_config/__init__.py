"""A collection's configuration: one YAML file, read into frozen models that know their own limits."""

from qdrant_config.collection import (
    CollectionConfig,
    EncoderConfig,
    HnswConfig,
    ProjectionConfig,
    QuantizationConfig,
    SearchConfig,
    load_config,
)

__all__ = [
    "CollectionConfig",
    "EncoderConfig",
    "HnswConfig",
    "ProjectionConfig",
    "QuantizationConfig",
    "SearchConfig",
    "load_config",
]
