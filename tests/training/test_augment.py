"""Augmentation on images small enough to look at."""

import torch

from pipeline.training.augment import augment, normalise
from pipeline.training.config import AugmentConfig

ODD = torch.tensor([False, True])


def _row(*values: float) -> torch.Tensor:
    """Two images (2, 1, 3, n), every line of which is `values`."""
    return torch.tensor(values).expand(2, 1, 3, len(values)).contiguous()


def _augmented(images: torch.Tensor, epoch: int = 0, **settings: object) -> torch.Tensor:
    config = AugmentConfig.model_validate({"flip": "none"} | settings)
    return augment(images, config, ODD, epoch, torch.Generator().manual_seed(epoch))


def test_normalise_turns_bytes_into_deviations() -> None:
    pixels = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)  # one pixel: 0, 0.2 and 1
    found = normalise(pixels, (0.0, 0.1, 0.5), (1.0, 0.1, 0.5))
    assert found.shape == (1, 3, 1, 1)
    torch.testing.assert_close(found.flatten(), torch.tensor([0.0, 1.0, 1.0]))


def test_alternating_flips_show_both_sides_in_two_epochs() -> None:
    images = _row(1, 2, 3)
    first, second = (_augmented(images, epoch, flip="alternating") for epoch in (0, 1))
    assert first[0, 0, 0].tolist() == [1, 2, 3]
    assert first[1, 0, 0].tolist() == [3, 2, 1]
    assert torch.equal(second, images.flip(3).where(torch.tensor([True, False])[:, None, None, None], images))


def test_shifts_reflect_and_reach_both_ways() -> None:
    seen = {tuple(_augmented(_row(1, 2, 3), epoch, shift=1)[0, 0, 1].tolist()) for epoch in range(40)}
    assert seen == {(2, 1, 2), (1, 2, 3), (2, 3, 2)}


def test_cutout_leaves_one_square_of_zeros() -> None:
    found = _augmented(torch.ones(2, 3, 8, 8), cutout=3)
    assert (found == 0).sum().item() == 2 * 3 * 9
    rows, columns = (found[0, 0] == 0).nonzero(as_tuple=True)
    assert rows.max() - rows.min() == columns.max() - columns.min() == 2


def test_crops_stay_within_the_image_and_keep_its_size() -> None:
    ramp = torch.arange(16.0).expand(2, 1, 16, 16).contiguous()
    whole, part = _augmented(ramp, crop=1.0), _augmented(ramp, crop=0.2)
    assert torch.equal(whole, ramp)
    assert part.shape == ramp.shape
    assert part.min() >= 0
    assert part.max() <= 15
    assert (part[..., -1] - part[..., 0]).max() < 15  # less than the whole width is seen
