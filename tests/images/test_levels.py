"""Images as arrays and back, whoever owns their memory."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipeline.images.levels import image_of, levels
from pipeline.images.shrinking import resized

pytestmark = pytest.mark.filterwarnings("error")  # torch warns of memory that must not be written


def pixels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def borrowed(array: np.ndarray) -> Image.Image:
    """An image over memory that Arrow owns."""
    padded = np.dstack([array, np.zeros(array.shape[:2], np.uint8)])
    arrow = pa.FixedSizeListArray.from_arrays(pa.array(padded.reshape(-1)), 4)
    return Image.fromarrow(arrow, "RGB", array.shape[1::-1])


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (256, 341), (2400, 2400)])
def test_levels_are_the_pixels(size: tuple[int, int]) -> None:
    """2400 × 2400 lie in several pieces."""
    array = pixels(*size)
    seen = levels(Image.fromarray(array))
    assert np.array_equal(seen[..., :3], array)
    assert np.array_equal(np.asarray(image_of(seen)), array)


def test_the_memory_of_others_is_copied() -> None:
    array = pixels(40, 30)
    assert np.array_equal(levels(borrowed(array))[..., :3], array)
    assert np.array_equal(np.asarray(resized(borrowed(array), (30, 40))), array)
    assert resized(borrowed(array), (15, 20)).size == (15, 20)


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_an_image_without_pixels_is_an_empty_array(size: tuple[int, int]) -> None:
    assert levels(Image.new("RGB", size)).size == 0


def test_an_array_outlives_its_image() -> None:
    array = pixels(64, 64)
    seen = levels(Image.fromarray(array).copy())
    Image.new("RGB", (64, 64), "red")  # may take the memory that was given back
    assert np.array_equal(seen[..., :3], array)


def test_what_was_made_can_be_made_again() -> None:
    once = resized(Image.fromarray(pixels(500, 375)), (192, 256))
    assert resized(once, (96, 128)).size == (96, 128)
    assert np.array_equal(levels(once)[..., :3], np.asarray(once))
