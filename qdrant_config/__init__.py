"""A collection's configuration: one YAML file, read into frozen models that know their own limits."""

from qdrant_config.collection import (
    CollectionConfig,
    EncoderConfig,
    ProjectionConfig,
    QuantizationConfig,
    SearchConfig,
    load_config,
)

__all__ = [
    "CollectionConfig",
    "EncoderConfig",
    "ProjectionConfig",
    "QuantizationConfig",
    "SearchConfig",
    "load_config",
]
