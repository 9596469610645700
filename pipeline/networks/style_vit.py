"""A vision transformer on the maps of a frozen CNN's first stages, beside the style statistics of those maps.

The hybrid of Dosovitskiy et al., "An image is worth 16×16 words" (ICLR 2021), for a few thousand images:
these are too few to learn patches from. The style statistics of the frozen stages need no training (see
style_cnn.py); the tokens add how the places of a picture are arranged, which such statistics leave out.
"""

from collections.abc import Sequence

import torch
from torch import nn

from pipeline.errors import SimileError
from pipeline.networks.compact_vit import transformer_blocks
from pipeline.networks.style_cnn import StyleCnn

__all__ = ["StyleVit"]


class StyleVit(nn.Module):
    """(N, 3, pixels, pixels) -> (N, width + statistics): mean of normalised tokens, then the statistics.

    `fixed` computes the part that is not trained, from images; `from_fixed` the trained rest, from that.
    """

    def __init__(
        self,
        architecture: str = "tf_efficientnet_lite0",
        maps: Sequence[int] = (2, 3, 4, 5),
        pixels: int = 224,
        width: int = 256,
        depth: int = 5,
        heads: int = 4,
        mlp_ratio: float = 3.0,
        drop_path: float = 0.0,
        keep: float = 1.0,
        correlations: Sequence[int] = (),
    ) -> None:
        """
        Args:
            architecture, maps, correlations: as of `StyleCnn`; the tokens come from the last map.
            keep: share of the tokens of an image that is used in a training step, drawn anew each time (Liu
                et al., "PatchDropout", WACV 2023).

        Raises:
            SimileError: as `StyleCnn`; also `keep` not above 0 and up to 1.
        """
        super().__init__()
        if not 0 < keep <= 1:
            raise SimileError(f"keep is {keep}, expected a share above 0 and up to 1")
        self.keep = keep
        self.stem = StyleCnn(architecture, maps, correlations).requires_grad_(False).eval()
        with torch.no_grad():
            self.shape = tuple(self.stem.maps_of(torch.zeros(1, 3, pixels, pixels))[-1].shape[1:])
        channels, rows, columns = self.shape
        self.features = width + self.stem.features
        self.enter = nn.Sequential(nn.BatchNorm1d(channels), nn.Linear(channels, width))
        self.place = nn.Parameter(torch.randn(1, rows * columns, width) * 0.02)
        self.blocks = transformer_blocks(width, depth, heads, mlp_ratio, drop_path)
        self.norm = nn.LayerNorm(width)

    def load_pretrained(self, model: nn.Module) -> None:
        """`StyleCnn.load_pretrained` for the frozen stages."""
        self.stem.load_pretrained(model)

    def standardise(self, fixed: torch.Tensor) -> torch.Tensor:
        """`StyleCnn.standardise` for the statistics in the output of `fixed` for training images.

        Returns:
            What `fixed` gives for the same images from now on.
        """
        statistics, rest = fixed[:, : self.stem.features], fixed[:, self.stem.features :]
        return torch.cat([self.stem.standardise(statistics), rest], 1)

    def train(self, mode: bool = True) -> "StyleVit":
        """The norms of the stem keep their statistics."""
        super().train(mode)
        self.stem.eval()
        return self

    def fixed(self, images: torch.Tensor) -> torch.Tensor:
        """(N, statistics + C·h·w): standardised statistics, then the last map."""
        maps = self.stem.maps_of(images)
        return torch.cat([self.stem.of_maps(maps), maps[-1].float().flatten(1)], 1)

    def from_fixed(self, fixed: torch.Tensor) -> torch.Tensor:
        """`forward`, from the output of `fixed`."""
        statistics = fixed[:, : self.stem.features]
        return torch.cat([self._tokens(fixed[:, self.stem.features :]).mean(1), statistics], 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.from_fixed(self.fixed(images))

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, h, w, width + statistics): token and share of the statistics of each place; the mean is
        `forward`.
        """
        shares = self.stem.spatial(images)
        tokens = self._tokens(self.stem.maps_of(images)[-1].float().flatten(1))
        return torch.cat([tokens.unflatten(1, self.shape[1:]), shares], 3)

    def _tokens(self, last: torch.Tensor) -> torch.Tensor:
        """(N, C·h·w) last map -> (N, tokens, width); in training a share `keep` of the tokens."""
        channels = last.unflatten(1, (self.shape[0], -1)).transpose(1, 2)
        entered = self.enter[0](channels.transpose(1, 2)).transpose(1, 2)
        tokens = self.enter[1](entered) + self.place
        if self.training and self.keep < 1:
            kept = max(1, round(self.keep * tokens.shape[1]))
            chosen = torch.rand(tokens.shape[:2], device=tokens.device).argsort(1)[:, :kept, None]
            tokens = tokens.gather(1, chosen.expand(-1, -1, tokens.shape[2]))
        normalised: torch.Tensor = self.norm(self.blocks(tokens))
        return normalised
