"""The colours of a picture as a vector."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import SimileError
from pipeline.images.palette import BINS, checked_colours, colour_histogram, main_colours, palette_histogram


def stripes(*colours: str, size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Equal upright stripes."""
    image, width = Image.new("RGB", size), size[0] // len(colours)
    for at, colour in enumerate(colours):
        image.paste(colour, (at * width, 0, (at + 1) * width, size[1]))
    return image


def closeness(first: str, second: str) -> float:
    return float(palette_histogram([first]) @ palette_histogram([second]))


@pytest.mark.parametrize(
    ("first", "second", "least", "most"),
    [
        ("#aa3311", "#aa3311", 0.999, 1.001),
        ("#ff0000", "#ee1111", 0.9, 1),  # hardly to be told apart
        ("#888888", "#aaaaaa", 0.8, 0.97),
        ("#ff0000", "#990000", 0.3, 0.7),  # the same hue, darker
        ("#ff0000", "#00ff00", 0, 0.01),
        ("#000000", "#ffffff", 0, 0.01),
    ],
)
def test_closeness_falls_with_the_difference_that_people_see(
    first: str, second: str, least: float, most: float
) -> None:
    assert least <= closeness(first, second) <= most


def test_every_colour_of_a_gradient_is_near_the_next_one() -> None:
    """No step falls between two bins: eight of 255 in one channel never cost more than a tenth."""
    greys = [f"#{2 * f'{level:02x}'}80" for level in range(0, 256, 8)]
    assert min(closeness(a, b) for a, b in pairwise(greys)) > 0.9


def test_vectors_have_one_length_whatever_the_size_of_the_picture() -> None:
    colours = ("#cc2200", "#0044cc", "#ffffff")
    small, large = colour_histogram(stripes(*colours)), colour_histogram(stripes(*colours, size=(900, 600)))
    assert small.shape == (BINS,) and small.dtype == np.float32
    assert np.linalg.norm(small) == pytest.approx(1, abs=1e-3)
    assert small @ large > 0.99  # the edges of stripes are mixtures
    assert small @ palette_histogram(colours) > 0.999  # equal shares, as a palette means


def test_a_little_of_a_colour_counts() -> None:
    spot = stripes("#808080")
    spot.paste("#ff0000", (0, 0, 6, 20))  # a twentieth of it
    red = palette_histogram(["#ff0000"])
    assert colour_histogram(spot) @ red > colour_histogram(stripes("#808080")) @ red + 0.2


def test_main_colours_are_those_of_the_picture_commonest_first() -> None:
    picture = stripes("#dd1111", "#dd1111", "#1111dd", "#eeeeee")
    found = main_colours(picture, 3)
    assert [
        closeness(one, true) > 0.95
        for one, true in zip(found, ("#dd1111", "#1111dd", "#eeeeee"), strict=True)
    ]
    assert closeness(found[0], "#dd1111") > 0.95
    assert main_colours(stripes("#336699")) == ["#336699"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["red"], "'red' is no colour; write it as '#aa3311'"),
        ([7], "7 is no colour"),
        ("#aa3311", "colours must be a list such as"),
        (["#00000" + str(i) for i in range(6)], "6 colours are too many; give at most 5"),
    ],
)
def test_what_is_no_palette_is_refused_with_a_sentence(given: object, sentence: str) -> None:
    with pytest.raises(SimileError) as refused:
        checked_colours(given)  # type: ignore[arg-type]
    assert sentence in str(refused.value)
