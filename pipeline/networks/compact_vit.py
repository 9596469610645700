"""A small vision transformer with a convolutional stem, for data sets too small to learn patches from.

Dosovitskiy et al., "An image is worth 16×16 words" (ICLR 2021); the stem after Xiao et al., "Early
convolutions help transformers see better" (NeurIPS 2021); mean of tokens instead of a class token after
Beyer et al., "Better plain ViT baselines for ImageNet-1k" (2022). Blocks are timm's.
"""

import torch
from torch import nn

from pipeline.errors import SimileError

__all__ = ["CompactVit", "transformer_blocks"]


class CompactVit(nn.Module):
    """(N, 3, pixels, pixels) -> (N, width): the mean of the normalised tokens."""

    def __init__(
        self,
        pixels: int = 32,
        patch: int = 4,
        width: int = 192,
        depth: int = 7,
        heads: int = 3,
        mlp_ratio: float = 3.0,
        drop_path: float = 0.0,
    ) -> None:
        """Raises SimileError: `patch` is not a power of two that divides `pixels`."""
        super().__init__()
        if patch & (patch - 1) or patch < 2 or pixels % patch:
            raise SimileError(
                f"patch {patch} does not fit {pixels} px; expected a power of two from 2 on that divides it"
            )
        self.features = width
        self.stem = _stem(patch, width)
        self.place = nn.Parameter(torch.randn(1, (pixels // patch) ** 2, width) * 0.02)
        self.blocks = transformer_blocks(width, depth, heads, mlp_ratio, drop_path)
        self.norm = nn.LayerNorm(width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.spatial(images).mean((1, 2))

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, h, w, width): the normalised tokens, whose mean is `forward`."""
        features = self.stem(images)
        tokens = self.blocks(features.flatten(2).transpose(1, 2) + self.place)
        grid: torch.Tensor = self.norm(tokens).unflatten(1, features.shape[2:])
        return grid


def transformer_blocks(
    width: int, depth: int, heads: int, mlp_ratio: float, drop_path: float
) -> nn.Sequential:
    """`depth` blocks of timm, (N, tokens, width) -> (N, tokens, width).

    Args:
        drop_path: the probability that the last block is skipped in training; it grows linearly from 0 at
            the first block (Huang et al., ECCV 2016).
    """
    from timm.models.vision_transformer import Block

    # Python numbers: on torch's meta device, where networks are described, tensors hold no values to read.
    rates = [drop_path * block / max(1, depth - 1) for block in range(depth)]
    blocks = (Block(width, heads, mlp_ratio=mlp_ratio, qkv_bias=True, drop_path=rate) for rate in rates)
    return nn.Sequential(*blocks)


def _stem(patch: int, width: int) -> nn.Sequential:
    """log2(patch) stages of convolution, norm, activation and halving, the last one `width` wide."""
    stages = patch.bit_length() - 1
    layers: list[nn.Module] = []
    inputs = 3
    for stage in range(stages):
        outputs = max(16, width >> (stages - 1 - stage))
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
        layers += [nn.GELU(), nn.MaxPool2d(2)]
        inputs = outputs
    return nn.Sequential(*layers)
