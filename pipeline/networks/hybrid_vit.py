"""A vision transformer on the feature map of the first stages of a trained CNN.

The hybrid of Dosovitskiy et al., "An image is worth 16×16 words" (ICLR 2021). A few thousand images, or a few
minutes of training, are not enough to learn patches from, but enough to learn how to combine the edges,
strokes and textures that a trained CNN already finds.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from pipeline.errors import SimileError
from pipeline.networks.compact_vit import transformer_blocks
from pipeline.networks.style_cnn import random_efficientnet
from pipeline.networks.whitened_cnn import WhitenedCnn

__all__ = ["OWN_CNN", "HybridVit"]

OWN_CNN = "whitened-cnn"


class HybridVit(nn.Module):
    """(N, 3, pixels, pixels) -> (N, width): the mean of normalised tokens, one for each place of the map."""

    def __init__(
        self,
        cnn: str = "tf_efficientnet_lite0",
        cnn_options: Mapping[str, Any] | None = None,
        stages: int = 5,
        pixels: int = 192,
        width: int = 256,
        depth: int = 5,
        heads: int = 4,
        mlp_ratio: float = 3.0,
        drop_path: float = 0.0,
        frozen: bool = True,
    ) -> None:
        """
        Args:
            cnn: `whitened-cnn`, with `cnn_options`, or one of timm's EfficientNets.
            stages: number of its stages that are used; 5 of Lite0 give one place for each 16 × 16 px.
            frozen: the stages are not trained, and their norms keep their statistics.

        Raises:
            SimileError: `cnn` is neither.
        """
        super().__init__()
        self.features, self.cnn, self.stages, self.frozen = width, cnn, stages, frozen
        self.stem = _first_stages(_random_cnn(cnn, cnn_options or {}), stages).requires_grad_(not frozen)
        with torch.no_grad():
            self.shape = tuple(self.stem.eval()(torch.zeros(1, 3, pixels, pixels)).shape[1:])
        channels, rows, columns = self.shape
        self.enter = nn.Sequential(nn.BatchNorm2d(channels), nn.Conv2d(channels, width, 1))
        self.place = nn.Parameter(torch.randn(1, rows * columns, width) * 0.02)
        self.blocks = transformer_blocks(width, depth, heads, mlp_ratio, drop_path)
        self.norm = nn.LayerNorm(width)

    def load_pretrained(self, model: nn.Module) -> None:
        """Take the first stages of a `WhitenedCnn` or of timm's model.

        Raises:
            AttributeError, RuntimeError: it has no such stages, or they do not fit.
        """
        self.stem.load_state_dict(_first_stages(model, self.stages).state_dict())

    def train(self, mode: bool = True) -> "HybridVit":
        """A frozen stem keeps the statistics of its norms."""
        super().train(mode)
        if self.frozen:
            self.stem.eval()
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.spatial(images).mean((1, 2))

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, h, w, width): the normalised tokens, whose mean is `forward`."""
        return self._tokens(self.stem(images))

    def fixed(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C·h·w) float32: the map that the stages give, which are not trained if they are `frozen`."""
        kept: torch.Tensor = self.stem(images).float().flatten(1)
        return kept

    def from_fixed(self, fixed: torch.Tensor) -> torch.Tensor:
        """`forward`, from the output of `fixed`."""
        return self._tokens(fixed.unflatten(1, self.shape)).mean((1, 2))

    def _tokens(self, features: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) map -> (N, h, w, width)."""
        tokens = self.blocks(self.enter(features).flatten(2).transpose(1, 2) + self.place)
        grid: torch.Tensor = self.norm(tokens).unflatten(1, features.shape[2:])
        return grid


def _random_cnn(cnn: str, options: Mapping[str, Any]) -> nn.Module:
    if cnn == OWN_CNN:
        return WhitenedCnn(**options)
    model = random_efficientnet(cnn)
    if model is None:
        raise SimileError(f"'{cnn}' is neither '{OWN_CNN}' nor an EfficientNet of timm")
    return model


def _first_stages(model: Any, stages: int) -> nn.Sequential:
    if isinstance(model, WhitenedCnn):
        return nn.Sequential(model.whiten, nn.GELU(), model.groups[:stages])
    return nn.Sequential(model.conv_stem, model.bn1, model.blocks[:stages])
