"""A collection's configuration: one YAML file, read into frozen models that know their own limits."""

from pipeline.config.collection import CollectionConfig, EncoderConfig, ProjectionConfig, load_config
from pipeline.config.graph_and_search import HnswConfig, SearchConfig
from pipeline.config.memory import MemoryConfig
from pipeline.config.quantization import QuantizationConfig

__all__ = [
    "CollectionConfig",
    "EncoderConfig",
    "HnswConfig",
    "MemoryConfig",
    "ProjectionConfig",
    "QuantizationConfig",
    "SearchConfig",
    "load_config",
]
