"""Any image model of timm or transformers as a backbone, by name."""

from typing import Any, Literal

import torch
from torch import nn

from pipeline.errors import SimileError
from pipeline.networks.pooled_cnn import Gem
from pipeline.networks.recipes import network_of

__all__ = ["Pretrained"]


class Pretrained(nn.Module):
    """(N, 3, H, W) -> (N, features): the embedding of the model's family, or GeM over its feature map."""

    def __init__(
        self,
        recipe: dict[str, Any],
        features: int,
        pooling: Literal["own", "gem"] = "own",
        power: float = 3.0,
    ) -> None:
        """Random weights; see `load_pretrained`.

        Args:
            recipe: see `pipeline.networks.recipes`; `pipeline.training.pretrained_config` fills it in.
            features: width of the output; filled in likewise.
            pooling: `own`: the embedding that pooling.py defines for the model's family; `gem`: GeM over the
                feature map, for CNNs only.
            power: GeM's exponent before training.

        Raises:
            SimileError: no such pooling, or a recipe that cannot be followed.
        """
        super().__init__()
        if pooling not in ("own", "gem"):
            raise SimileError(f"there is no pooling '{pooling}'; there are: own, gem")
        self.network: Any = network_of(recipe)  # a module with `spatial`, see pooling.py
        self.features = features
        self.pool = Gem(power) if pooling == "gem" else None

    def load_pretrained(self, model: nn.Module) -> None:
        """Take the weights of a network of the same recipe; RuntimeError if they do not fit."""
        self.network.load_state_dict(model.state_dict())

    def freeze_unused(self, side: int) -> None:
        """Freeze parameters that the embedding does not depend on.

        Such are the mask token of DINOv2 and the norm of ConvNeXt's head. They get no gradient, and
        DistributedDataParallel fails when a trainable parameter gets none.

        Args:
            side: of the images, in pixels.
        """
        training, parameters = self.training, [p for p in self.parameters() if p.requires_grad]
        found = self.eval()(torch.zeros(1, 3, side, side))
        gradients = torch.autograd.grad(found.sum(), parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.requires_grad_(gradient is not None)
        self.train(training)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.network(images) if self.pool is None else self.pool(self._map(images))
        return pooled

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, h, w, features): the embedding of each place; for CNNs the mean is `forward`.

        For ViTs with a class token it is not.
        """
        return self._places(images) if self.pool is None else self.pool.spatial(self._map(images))

    def _map(self, images: torch.Tensor) -> torch.Tensor:
        return self._places(images).permute(0, 3, 1, 2)

    def _places(self, images: torch.Tensor) -> torch.Tensor:
        places: torch.Tensor = self.network.spatial(images)
        return places
