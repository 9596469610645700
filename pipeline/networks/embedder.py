"""One network for every loss: a backbone, its embedding, a hash head and classifiers on top."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

__all__ = ["Embedder", "Outputs", "RawOutput"]


class Outputs(NamedTuple):
    """The outputs for N images."""

    embedding: torch.Tensor  # (N, D)
    code: torch.Tensor | None  # (N, bits) hash logits
    classes: dict[str, torch.Tensor]  # label column -> (N, classes) logits


class Embedder(nn.Module):
    """(N, 3, H, W) normalised images -> Outputs."""

    def __init__(
        self,
        backbone: nn.Module,
        dimension: int | None,
        code_bits: int | None,
        classes: Mapping[str, int],
        temperature: float = 1.0,
    ) -> None:
        """
        Args:
            backbone: has an attribute `features`, the width of its output.
            dimension: width of the embedding; None: the embedding is the backbone's output.
            code_bits: width of the hash head; None: there is none.
            classes: label column -> number of classes, for each column that gets a classifier.
            temperature: class logits are divided by it.
        """
        super().__init__()
        features = int(backbone.features)  # type: ignore[arg-type]
        self.backbone = backbone
        self.dimension = dimension or features
        self.code_bits = code_bits
        self.temperature = temperature
        self.embedding: nn.Module = nn.Linear(features, dimension) if dimension else nn.Identity()
        # A norm without shift after it: each bit is then set for half of the training images.
        self.code = (
            nn.Sequential(nn.Linear(self.dimension, code_bits, bias=False), nn.BatchNorm1d(code_bits))
            if code_bits
            else None
        )
        self.classifiers = nn.ModuleDict(
            {column: nn.Linear(self.dimension, number, bias=False) for column, number in classes.items()}
        )

    def forward(self, images: torch.Tensor) -> Outputs:
        return self.from_features(self.backbone(images))

    def fixed(self, images: torch.Tensor) -> torch.Tensor:
        """(N, K): the output of the part of the backbone that is not trained.

        A backbone without a method `fixed` has no such part of its own; then it is the backbone's output.
        """
        backbone: Any = self.backbone
        found: torch.Tensor = backbone.fixed(images) if hasattr(backbone, "fixed") else backbone(images)
        return found

    def from_fixed(self, fixed: torch.Tensor) -> Outputs:
        """`forward`, from `fixed` of the images."""
        backbone: Any = self.backbone
        return self.from_features(backbone.from_fixed(fixed) if hasattr(backbone, "fixed") else fixed)

    def from_features(self, features: torch.Tensor) -> Outputs:
        """`forward`, from the backbone's output (N, backbone.features)."""
        embedding = self.embedding(features)
        code = self.code(embedding) if self.code is not None else None
        classes = {c: layer(embedding) / self.temperature for c, layer in self.classifiers.items()}
        return Outputs(embedding, code, classes)


class RawOutput(nn.Module):
    """What an encoder returns: (N, 3, H, W) -> (N, dimension + code_bits), embedding then hash logits.

    With `mirror`, both are means over the image and its mirror image, which costs twice the time.
    """

    def __init__(self, network: Embedder, mirror: bool = False) -> None:
        super().__init__()
        self.network = network
        self.mirror = mirror

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raw = self._raw(images)
        return (raw + self._raw(images.flip(3))) / 2 if self.mirror else raw

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, h, w, dimension): the embedding of each place; the mean over places is the embedding."""
        places = self._places(images)
        return (places + self._places(images.flip(3)).flip(2)) / 2 if self.mirror else places

    def _places(self, images: torch.Tensor) -> torch.Tensor:
        backbone: Any = self.network.backbone
        places: torch.Tensor = self.network.embedding(backbone.spatial(images))
        return places

    def _raw(self, images: torch.Tensor) -> torch.Tensor:
        found: Outputs = self.network(images)
        parts = [found.embedding] if found.code is None else [found.embedding, found.code]
        return torch.cat([part.float() for part in parts], dim=1)
