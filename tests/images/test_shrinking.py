"""Large images -> small ones: sizes, and the pixels that PIL would give."""

import numpy as np
import pytest
from PIL import Image

from pipeline.images import shrunk
from tests.images.made_images import noise


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((500, 375), (341, 256)),
        ((375, 500), (256, 341)),
        ((1600, 1200), (341, 256)),  # blocks of two pixels first
        ((257, 300), (256, 298)),
        ((5000, 300), (4266, 256)),
    ],
)
def test_the_short_side_becomes_what_was_asked_for(size, wanted):
    small = shrunk(noise(size), 256)
    assert small.size == wanted
    by_pil = noise(size).resize(wanted, Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(small, int) - np.asarray(by_pil, int)).mean() < 1


@pytest.mark.parametrize("size", [(256, 900), (255, 2), (1, 50_000)])
def test_small_ones_stay_what_they_are(size):
    image = Image.new("RGB", size)
    assert shrunk(image, 256) is image


def test_grain_is_averaged_and_not_picked():
    grain = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3)).astype(np.uint8)
    assert np.asarray(shrunk(Image.fromarray(grain), 256)).std() < 30  # of 74
