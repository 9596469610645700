"""Tokens of a transformer -> the grid of places in the picture that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.errors import SimileError

if TYPE_CHECKING:
    import torch

__all__ = ["token_grid"]


def token_grid(tokens: torch.Tensor, images: torch.Tensor, patch: int | Sequence[int]) -> torch.Tensor:
    """(N, T, D) tokens of (N, 3, H, W) images -> (N, h, w, D), row by row, without class and register tokens.

    Networks that merge patches on their way (Swin) end with fewer tokens; then the grid has the shape of the
    image and as many places as there are tokens.

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
            f"{tokens.shape[1]} tokens of a {images.shape[2]} × {images.shape[3]} px image stand for no grid "
            f"of {height} × {width} px patches"
        )
    return tokens[:, prefix:].reshape(len(tokens), rows, columns, -1)
