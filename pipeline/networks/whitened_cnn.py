"""A fast CNN for 32×32 pictures, after Jordan, "94 % on CIFAR-10 in 3.29 seconds on a single GPU" (2024)."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pipeline.errors import SimileError

__all__ = ["WhitenedCnn"]

_PATCH = 2  # pixels, side of the whitened patches
_STATISTICS_MOMENTUM = 0.4  # batch norm's: a run has some hundred steps only
_SMALLEST_VARIANCE = 5e-4  # of a patch component: beyond it whitening would amplify noise


class WhitenedCnn(nn.Module):
    """(N, 3, H, W) -> (N, widths[-1]): frozen whitening, three groups of 3×3 convolutions, maximum."""

    def __init__(self, widths: Sequence[int] = (64, 256, 256), depth: int = 2) -> None:
        """
        Args:
            widths: channels of each group.
            depth: 2 or 3 convolutions in each group; the third adds to what the first gave.

        Raises:
            SimileError: `depth` is neither 2 nor 3.
        """
        super().__init__()
        if depth not in (2, 3):
            raise SimileError(f"depth is {depth}; a group of this network has 2 or 3 convolutions")
        patches = 2 * 3 * _PATCH**2
        self.features = widths[-1]
        self.whiten = nn.Conv2d(3, patches, _PATCH)
        self.whiten.weight.requires_grad_(False)
        entries = (patches, *widths[:-1])
        self.groups = nn.Sequential(*(_Group(i, o, depth) for i, o in zip(entries, widths, strict=True)))

    @torch.no_grad()
    def initialise(self, images: torch.Tensor) -> None:
        """Make the first layer the whitening of 2×2 patches of (N, 3, H, W) normalised training images.

        Its outputs are the principal components of patches divided by their standard deviation, and the
        negatives of these, because the activation that follows removes negative values.
        """
        patches = F.unfold(images.float().contiguous(), _PATCH).transpose(1, 2).flatten(0, 1)
        values, vectors = torch.linalg.eigh(torch.cov(patches.T))
        filters = (vectors / (values + _SMALLEST_VARIANCE).sqrt()).T.flip(0)
        filters = filters.reshape(-1, 3, _PATCH, _PATCH)
        self.whiten.weight.copy_(torch.cat([filters, -filters]))
        nn.init.zeros_(self.whiten.bias)  # type: ignore[arg-type]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self._map(images).amax((2, 3))

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, h, w, features): each maximum at the place where it was found; the mean is `forward`."""
        features = self._map(images).flatten(2)
        found = F.one_hot(features.argmax(2), features.shape[2])
        places = features * found * features.shape[2]
        rows = round(features.shape[2] ** 0.5 * (images.shape[2] / images.shape[3]) ** 0.5)
        grid: torch.Tensor = places.unflatten(2, (rows, -1)).permute(0, 2, 3, 1)
        return grid

    def _map(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.groups(F.gelu(self.whiten(images)))
        return features


class _Group(nn.Module):
    """Convolution, halving, norm, activation; then one convolution more, or two beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(inputs, outputs), _convolution(outputs, outputs)
        self.first_norm, self.second_norm = _norm(outputs), _norm(outputs)
        self.third = _convolution(outputs, outputs) if depth == 3 else None
        self.third_norm = _norm(outputs) if depth == 3 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.gelu(self.first_norm(F.max_pool2d(self.first(x), 2)))
        y = F.gelu(self.second_norm(self.second(x)))
        if self.third is None or self.third_norm is None:
            return y
        return F.gelu(x + self.third_norm(self.third(y)))


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight[: min(inputs, outputs)].data)  # the first outputs begin as the identity
    return layer


def _norm(channels: int) -> nn.BatchNorm2d:
    """Its scale is not trained: the next convolution has one."""
    layer = nn.BatchNorm2d(channels, eps=1e-5, momentum=_STATISTICS_MOMENTUM)
    layer.weight.requires_grad_(False)
    return layer
