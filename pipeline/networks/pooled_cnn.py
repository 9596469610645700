"""A pretrained CNN up to its last feature map, pooled by GeM."""

from typing import Any

import torch
from torch import nn

from pipeline.errors import SimileError

__all__ = ["Gem", "PooledCnn"]


class Gem(nn.Module):
    """(N, C, H, W) -> (N, C): the generalised mean (mean of x^p)^(1/p) over places, p learnt.

    Radenović, Tolias and Chum (PAMI 2019), after the regional maxima of Gordo et al., "Deep image
    retrieval" (ECCV 2016): p = 1 is the mean, p -> ∞ the maximum.
    """

    def __init__(self, power: float = 3.0, floor: float = 1e-6) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(float(power)))
        self.floor = floor

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        # float32, because powers of small bfloat16 numbers keep almost no digits
        powers = features.float().clamp(min=self.floor).pow(self.power)
        return torch.pow(powers.mean((2, 3)), 1 / self.power)

    def spatial(self, features: torch.Tensor) -> torch.Tensor:
        """(N, H, W, C): the share of each place in each generalised mean; their mean is `forward`."""
        powers = features.float().clamp(min=self.floor).pow(self.power)
        shares: torch.Tensor = powers / powers.mean((2, 3), keepdim=True) * self(features)[:, :, None, None]
        return shares.permute(0, 2, 3, 1)


class PooledCnn(nn.Module):
    """(N, 3, H, W) -> (N, C): a timm CNN by name (`tf_efficientnet_lite0`), the first stages frozen."""

    def __init__(self, architecture: str, power: float = 3.0, frozen_stages: int = 0) -> None:
        """Random weights; see `load_pretrained`.

        Raises:
            SimileError: timm has no such model, or it gives no feature map.
        """
        import timm

        super().__init__()
        if not timm.is_model(architecture):
            raise SimileError(f"timm has no model '{architecture}'; timm.list_models() lists them")
        self.model: Any = timm.create_model(architecture, pretrained=False, num_classes=0)
        self.features = self.model.num_features
        self.pool = Gem(power)
        self.frozen = self._first_stages(frozen_stages)
        for module in self.frozen:
            module.requires_grad_(False)

    def _first_stages(self, number: int) -> list[nn.Module]:
        if not number:
            return []
        if not hasattr(self.model, "blocks") or not hasattr(self.model, "conv_stem"):
            raise SimileError("frozen_stages works only for timm's EfficientNets; set it to 0")
        return [self.model.conv_stem, self.model.bn1, *self.model.blocks[:number]]

    def load_pretrained(self, model: nn.Module) -> None:
        """Take the weights of timm's model of the same architecture; RuntimeError if they do not fit."""
        self.model.load_state_dict(model.state_dict())

    def train(self, mode: bool = True) -> "PooledCnn":
        """Frozen stages keep the batch norm statistics they were pretrained with."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.pool(self._map(images))
        return pooled

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, h, w, C): the share of each place; the mean over places is `forward`."""
        return self.pool.spatial(self._map(images))

    def _map(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.forward_features(images)
        if features.ndim != 4:
            raise SimileError("this model gives no feature map; use a CNN of timm")
        return features
