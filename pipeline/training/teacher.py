"""The network that another one imitates."""

from collections.abc import Callable

import torch

from pipeline.encoders.simile_models import load_embedder
from pipeline.training.networks import Outputs

__all__ = ["Teacher", "rows_of"]

_BATCH = 50  # images


class Teacher:
    """A trained network by name, for looking at only."""

    def __init__(self, name: str, device: torch.device) -> None:
        network = load_embedder(name).eval().requires_grad_(False)
        self.network = network.to(device).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def of(self, images: torch.Tensor) -> Outputs:
        """Its outputs for normalised images (B, 3, H, W)."""
        return self.network(images)

    def of_all(self, count: int, images: Callable[[slice], torch.Tensor]) -> Outputs:
        """Its outputs for `count` images that are always the same, a part of which `images` gives."""
        parts = [self.of(images(slice(first, first + _BATCH))) for first in range(0, count, _BATCH)]
        code = torch.cat([p.code for p in parts if p.code is not None]) if self.network.code else None
        classes = {c: torch.cat([p.classes[c] for p in parts]) for c in parts[0].classes}
        return Outputs(torch.cat([p.embedding for p in parts]), code, classes)


def rows_of(outputs: Outputs, at: torch.Tensor) -> Outputs:
    """Those of the images with the indexes `at` (B,)."""
    code = outputs.code[at] if outputs.code is not None else None
    return Outputs(outputs.embedding[at], code, {c: logits[at] for c, logits in outputs.classes.items()})
