"""Which vector of a network is the embedding, by library and architecture; and the same for each place.

For timm `embedding_of` gives `PooledFeatures` or `ProjectedFeatures`; for transformers there is
`TransformersEmbedding`. All three are modules with `forward` and `spatial`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from pipeline.errors import SimileError

__all__ = [
    "OWN_POOLING",
    "POOLED",
    "PooledFeatures",
    "ProjectedFeatures",
    "TransformersEmbedding",
    "embedding_of",
    "token_grid",
]

POOLED = (
    "mean over the last feature map, CLS token after the final norm, or the model's own pooling of tokens"
)
# `model_type` of models whose own pooling is trained, or was in use while they were trained.
OWN_POOLING = {
    "beit",
    "clip_vision_model",
    "data2vec-vision",
    "siglip",
    "siglip_vision_model",
    "swin",
    "swinv2",
}


class PooledFeatures(nn.Module):
    """(N, 3, H, W) -> (N, D): the embedding of a timm model.

    A feature map is averaged over its places, whatever the head would do (VGG-16: 512 values, not the 4,096
    of its head; ConvNeXt: before the norm of its head). Tokens: the CLS token where the model classifies by
    it, which for distilled DeiT is not the mean with the distillation token; otherwise as the model pools
    (mean, attention).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model
        self.channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: Any = self.model.forward_features(images)  # of some models a tuple
        if isinstance(features, torch.Tensor) and features.ndim == 4:
            return features.mean((1, 2) if self.channels_last else (2, 3))
        pooled: torch.Tensor
        if getattr(self.model, "global_pool", None) == "token" and features.ndim == 3:
            pooled = features[:, 0]
        else:
            pooled = self.model.forward_head(features, pre_logits=True)
        return pooled

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, H, W, D): the last feature map, or the head's output for each patch token alone."""
        features: torch.Tensor = self.model.forward_features(images)
        if features.ndim == 4:
            return features if self.channels_last else features.permute(0, 2, 3, 1)
        if getattr(self.model, "global_pool", None) == "token":
            return token_grid(features, images, self.model.patch_embed.patch_size)
        return _head_of_each(self.model, features, images, pre_logits=True)


class ProjectedFeatures(nn.Module):
    """(N, 3, H, W) -> (N, D): an image tower of CLIP with its projection."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        embedding: torch.Tensor = self.model(images)
        return embedding

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, H, W, D): the projection of each patch token alone."""
        return _head_of_each(self.model, self.model.forward_features(images), images, pre_logits=False)


def _head_of_each(model: Any, tokens: torch.Tensor, images: torch.Tensor, pre_logits: bool) -> torch.Tensor:
    """(N, H, W, D): the head's output for each patch token, passed through it as the only token.

    Class and register tokens, which come before the patches, are left out.
    """
    grid = token_grid(tokens, images, model.patch_embed.patch_size)
    alone = grid.reshape(-1, 1, grid.shape[-1])
    if model.global_pool != "token":  # a head that reads the class token gets the patch token in its place
        prefix = getattr(model, "num_prefix_tokens", 0)
        alone = torch.cat([alone.new_zeros(len(alone), prefix, alone.shape[-1]), alone], 1)
    found: torch.Tensor = model.forward_head(alone, pre_logits=pre_logits)
    return found.reshape(*grid.shape[:3], -1)


def embedding_of(model: Any) -> nn.Module:
    """The model of timm without its classifier, which would only take memory, and with its pooling."""
    if _is_projected(model):
        return ProjectedFeatures(model)
    model.reset_classifier(0)
    if hasattr(model, "pre_logits") and model.num_features != model.head_hidden_size:
        model.pre_logits = nn.Identity()  # VGG: layers of 4,096 × 4,096 weights after the feature map
    return PooledFeatures(model)


def _is_projected(model: Any) -> bool:
    """An image tower of CLIP whose last layer is the projection, not a classifier trained later."""
    card = model.pretrained_cfg
    full_name = f"{card.get('architecture')}.{card.get('tag') or ''}"
    return "clip" in full_name and not re.search(r"_ft_in\d", full_name) and model.num_classes > 0


class TransformersEmbedding(nn.Module):
    """(N, 3, H, W) -> (N, D): the embedding of a transformers model.

    CLIP: `image_embeds`, what `get_image_features` gives; SigLIP: its attention pooling, likewise. ViT, DeiT,
    DINOv2: the CLS token of `last_hidden_state`, which is normalised; the pooler of ViT is untrained in many
    checkpoints. CNNs: the mean of the last feature map (ConvNeXt: before the norm of its head).
    """

    def __init__(self, model: Any, interpolate: bool) -> None:
        super().__init__()
        self.model = model
        self.has_cls = any(key.endswith("cls_token") for key, _ in model.named_parameters())
        self.own_pooling = getattr(model.config, "model_type", None) in OWN_POOLING
        self.two_halves = hasattr(model, "get_image_features")
        forward = model.get_image_features if self.two_halves else model.forward
        takes_it = "interpolate_pos_encoding" in inspect.signature(forward).parameters
        self.options = {"interpolate_pos_encoding": True} if interpolate and takes_it else {}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        call = self.model.get_image_features if self.two_halves else self.model
        output: Any = call(pixel_values=images, **self.options)
        if isinstance(output, torch.Tensor):
            return output
        pooled: torch.Tensor | None = getattr(output, "image_embeds", None)
        if pooled is None and (self.own_pooling or self.two_halves):
            pooled = output.pooler_output
        if pooled is not None:
            return pooled
        hidden: torch.Tensor = output.last_hidden_state
        if hidden.ndim == 4:
            return hidden.mean((2, 3))
        return hidden[:, 0] if self.has_cls else hidden.mean(1)

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, H, W, D): the last feature map, or the head's output for each patch token alone."""
        tower = getattr(self.model, "vision_model", self.model)
        output = tower(pixel_values=images, **self.options)
        hidden: torch.Tensor = output.last_hidden_state
        if hidden.ndim == 4:
            return hidden.permute(0, 2, 3, 1)
        config = getattr(self.model.config, "vision_config", self.model.config)
        grid = token_grid(hidden, images, config.patch_size)
        return self._head_of_each(tower, grid)

    def _head_of_each(self, tower: Any, grid: torch.Tensor) -> torch.Tensor:
        projection = getattr(self.model, "visual_projection", None)
        head = getattr(tower, "head", None)
        found = grid
        if projection is not None:  # CLIP: each token in the place of the class token
            found = projection(tower.post_layernorm(grid))
        elif head is not None:  # SigLIP: attention pooling over one token
            found = head(grid.reshape(-1, 1, grid.shape[-1])).reshape(*grid.shape[:3], -1)
        return found


def token_grid(tokens: torch.Tensor, images: torch.Tensor, patch: int | Sequence[int]) -> torch.Tensor:
    """(N, T, D) tokens of (N, 3, H, W) images -> (N, h, w, D), row by row, without class and register tokens.

    Networks that merge patches between their stages (Swin) end with fewer tokens; then the sides of the grid
    are halved until it has as many places as there are tokens.

    Args:
        patch: side of a patch in pixels, or (height, width).

    Raises:
        SimileError: the tokens fill no such grid.
    """
    height, width = (patch, patch) if isinstance(patch, int) else (patch[0], patch[1])
    rows, columns = images.shape[2] // height, images.shape[3] // width
    while rows * columns > tokens.shape[1] and rows % 2 == 0 and columns % 2 == 0:
        rows, columns = rows // 2, columns // 2
    prefix = tokens.shape[1] - rows * columns
    if not 0 <= prefix < rows * columns:
        raise SimileError(
            f"{tokens.shape[1]} tokens of a {images.shape[2]} × {images.shape[3]} px image do not form a "
            f"grid of {height} × {width} px patches"
        )
    return tokens[:, prefix:].reshape(len(tokens), rows, columns, -1)
