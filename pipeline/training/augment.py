"""Augmentation of whole batches of images by a few tensor operations; and normalisation."""

import torch
from torch.nn import functional as F  # noqa: N812

from pipeline.training.config import AugmentConfig

__all__ = ["augment", "normalise"]


def normalise(images: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32, channels last in memory."""
    pixels = images.permute(0, 3, 1, 2).float().div_(255)
    shape = (1, 3, 1, 1)
    return pixels.sub_(pixels.new_tensor(mean).view(shape)).div_(pixels.new_tensor(std).view(shape))


def augment(
    images: torch.Tensor, settings: AugmentConfig, odd: torch.Tensor, epoch: int, random: torch.Generator
) -> torch.Tensor:
    """(N, 3, H, W) float32 -> the same shape: flipped, cropped, moved and with a square cut out.

    Args:
        settings: how much of each.
        odd: (N,) bool, drawn once for each image, for alternating flips (Jordan, 2024): an image is flipped
            in every second epoch, in odd or in even ones, instead of at random.
        epoch: 0 for the first.
        random: on the CPU.
    """
    count = len(images)
    flipped = torch.zeros(count, dtype=torch.bool)
    if settings.flip == "alternating":
        flipped = odd ^ bool(epoch % 2)
    elif settings.flip == "random":
        flipped = torch.rand(count, generator=random) < 0.5
    images = torch.where(flipped.to(images.device)[:, None, None, None], images.flip(3), images)
    if settings.crop < 1:
        images = _random_crop(images, settings.crop, random)
    if settings.shift:
        images = _shift(images, settings.shift, random)
    if settings.cutout:
        images = _cutout(images, settings.cutout, random)
    return images.contiguous(memory_format=torch.channels_last)


def _shift(images: torch.Tensor, limit: int, random: torch.Generator) -> torch.Tensor:
    """Each image moved by up to `limit` pixels along both axes; the gap shows a reflection."""
    padded = F.pad(images, (limit,) * 4, mode="reflect")
    height, width = images.shape[2:]
    moved = torch.empty_like(images)
    offsets = torch.randint(0, 2 * limit + 1, (len(images), 2), generator=random)
    for y in range(2 * limit + 1):
        for x in range(2 * limit + 1):
            chosen = (offsets == torch.tensor([y, x])).all(1).nonzero()[:, 0].to(images.device)
            moved[chosen] = padded[chosen, :, y : y + height, x : x + width]
    return moved


def _cutout(images: torch.Tensor, side: int, random: torch.Generator) -> torch.Tensor:
    """A square of zeros (the mean colour) anywhere in each image (DeVries and Taylor, 2017)."""
    count, _, height, width = images.shape
    hole = torch.ones(count, height, width, dtype=torch.bool)
    for axis, length in ((1, height), (2, width)):
        start = torch.randint(0, max(1, length - side + 1), (count, 1), generator=random)
        at = torch.arange(length)[None]
        inside = (at >= start) & (at < start + side)
        hole &= inside[:, :, None] if axis == 1 else inside[:, None, :]
    return images.masked_fill(hole[:, None].to(images.device), 0.0)


def _random_crop(images: torch.Tensor, smallest: float, random: torch.Generator) -> torch.Tensor:
    """A part of each image of between `smallest` and all of its area, stretched to the full size."""
    area = smallest + (1 - smallest) * torch.rand(len(images), generator=random)
    ratio = (torch.rand(len(images), generator=random) - 0.5).mul(0.5).exp()  # width over height
    scale = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 1).clamp(max=1.0)
    centre = (torch.rand(len(images), 2, generator=random) * 2 - 1) * (1 - scale)
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = scale[:, 0], scale[:, 1], centre
    grid = F.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
