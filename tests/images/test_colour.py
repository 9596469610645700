"""Colour profiles become sRGB, and transparent pictures are seen."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from pipeline.images import decode, is_single_colour, thumbnail
from pipeline.images.colour import _transform
from tests.images.made_images import display_p3, encoded, noise, printer_profile
from tests.images.test_decode import near

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_phones_picture_is_converted_to_srgb(kind: str) -> None:
    """(234, 51, 35) in Display P3 is pure red in sRGB."""
    data = encoded(Image.new("RGB", (16, 16), (234, 51, 35)), kind, icc_profile=display_p3())
    image = decode(data)
    assert near(image.getpixel((8, 8)), (255, 0, 0), 8)
    assert image.info == {}
    assert decode(thumbnail(image, data)[0]).getpixel((8, 8))[0] > 245


def test_a_profile_counts_beside_transparency_and_in_a_palette() -> None:
    clear = Image.new("RGBA", (8, 8), (234, 51, 35, 255))
    clear.putpixel((0, 0), (0, 0, 0, 0))
    assert near(decode(encoded(clear, "PNG", icc_profile=display_p3())).getpixel((4, 4)), (255, 0, 0), 2)
    few = Image.new("P", (8, 8), 0)
    few.putpalette([234, 51, 35])
    assert near(decode(encoded(few, "PNG", icc_profile=display_p3())).getpixel((4, 4)), (255, 0, 0), 2)


def test_cmyk_is_converted_by_its_profile() -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    image = decode(encoded(cyan, "TIFF", icc_profile=printer_profile()))
    assert near(image.getpixel((8, 8)), (128, 128, 128), 3)


def test_srgb_under_any_name_changes_no_pixel() -> None:
    image = noise((40, 30))
    assert np.array_equal(np.asarray(decode(encoded(image, "PNG", icc_profile=SRGB))), np.asarray(image))
    assert _transform(SRGB, "RGB") is None  # nothing is computed for each picture


@pytest.mark.parametrize("profile", [b"no profile", SRGB[:200], printer_profile()])
def test_a_profile_that_is_broken_or_of_another_space_is_left_out(profile: bytes) -> None:
    image = noise((40, 30))
    data = encoded(image, "PNG", icc_profile=profile)
    assert np.array_equal(np.asarray(decode(data)), np.asarray(image))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize(("ink", "ground"), [("white", "black"), ("black", "white"), ("#c0c0c0", "black")])
def test_a_drawing_on_a_transparent_ground_is_seen(kind: str, ink: str, ground: str) -> None:
    drawing = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    drawing.paste(ink, (8, 8, 16, 16))
    image = decode(encoded(drawing, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert near(image.getpixel((2, 2)), Image.new("RGB", (1, 1), ground).getpixel((0, 0)))
    assert near(image.getpixel((12, 12)), Image.new("RGB", (1, 1), ink).getpixel((0, 0)))


def test_hidden_colours_do_not_choose_the_ground() -> None:
    """Most pixels are white and cannot be seen; the visible ones are black."""
    drawing = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
    drawing.paste("black", (8, 8, 12, 12))
    assert decode(encoded(drawing, "PNG")).getpixel((0, 0)) == (255, 255, 255)


def test_white_drawings_differ_from_each_other() -> None:
    def drawing(left: int) -> bytes:
        image = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
        image.paste("white", (left, 8, left + 8, 24))
        return encoded(image, "PNG")

    assert decode(drawing(0)).tobytes() != decode(drawing(20)).tobytes()


def test_a_single_colour_is_told_from_a_dot_and_from_noise() -> None:
    grey = Image.new("RGB", (200, 100), "grey")
    assert is_single_colour(decode(encoded(grey, "JPEG")))
    grey.putpixel((1, 1), (255, 255, 255))
    assert not is_single_colour(grey)
    assert not is_single_colour(noise((200, 100)))
