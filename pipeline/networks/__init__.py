"""The networks that Simile trains itself, built from the `network` part of a training configuration."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from pipeline.errors import SimileError
from pipeline.networks.compact_vit import CompactVit
from pipeline.networks.embedder import Embedder, Outputs, RawOutput
from pipeline.networks.hybrid_vit import HybridVit
from pipeline.networks.pooled_cnn import Gem, PooledCnn
from pipeline.networks.pretrained import Pretrained
from pipeline.networks.style_cnn import StyleCnn
from pipeline.networks.style_vit import StyleVit
from pipeline.networks.whitened_cnn import WhitenedCnn

__all__ = [
    "BACKBONES",
    "Embedder",
    "Gem",
    "Outputs",
    "PooledCnn",
    "Pretrained",
    "RawOutput",
    "StyleCnn",
    "StyleVit",
    "build_network",
]

BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "whitened-cnn": WhitenedCnn,
    "compact-vit": CompactVit,
    "pooled-cnn": PooledCnn,
    "style-cnn": StyleCnn,
    "hybrid-vit": HybridVit,
    "style-vit": StyleVit,
    "pretrained": Pretrained,
}


def build_network(description: Mapping[str, Any]) -> Embedder:
    """An `Embedder` with random weights.

    Args:
        description: `backbone` (one of BACKBONES), `options` (its keyword arguments), `dimension`,
            `code_bits`, `classes` and `temperature` as `Embedder` takes them.

    Raises:
        SimileError: no such backbone, or an option that it does not have.
    """
    kind = description["backbone"]
    if kind not in BACKBONES:
        raise SimileError(f"there is no backbone '{kind}'; there are: {', '.join(BACKBONES)}")
    try:
        backbone = BACKBONES[kind](**description.get("options", {}))
    except TypeError as error:
        raise SimileError(f"backbone '{kind}': {error}; see pipeline/networks") from None
    return Embedder(
        backbone,
        description.get("dimension"),
        description.get("code_bits"),
        description.get("classes", {}),
        description.get("temperature", 1.0),
    )
