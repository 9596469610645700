"""Every kind of picture that people have, and how large it is decoded."""

import struct
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from pipeline import images
from pipeline.errors import ImageError
from pipeline.images import decode, decode_with_size, thumbnail
from tests.images.made_images import BLUE, RED, WHITE, encoded, grey_tiff, halves, noise, png


def near(pixel, wanted, tolerance=6) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, wanted, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_every_format(kind):
    image = decode(encoded(halves(), kind))
    assert (image.mode, image.size, type(image), image.info) == ("RGB", (40, 20), Image.Image, {})
    assert near(image.getpixel((4, 10)), RED)
    assert near(image.getpixel((35, 10)), BLUE)


def test_a_lossless_image_keeps_its_pixels():
    image = noise((33, 17))
    assert np.array_equal(np.asarray(decode(encoded(image, "PNG"))), np.asarray(image))


@pytest.mark.parametrize(
    ("mode", "colour", "wanted"),
    [
        ("1", 1, WHITE),
        ("L", 100, (100, 100, 100)),
        ("P", 0, (0, 0, 0)),
        ("LA", (100, 255), (100, 100, 100)),
        ("LA", (100, 0), WHITE),
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (255, 0, 0, 51), (255, 204, 204)),  # a fifth of red over white
        ("RGBA", (255, 0, 0, 255), RED),
    ],
)
def test_modes_of_png(mode, colour, wanted):
    assert near(decode(encoded(Image.new(mode, (8, 8), colour), "PNG")).getpixel((3, 3)), wanted, 1)


def test_a_palette_with_transparency_shows_white():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([*RED, *BLUE])
    image.putpixel((0, 0), 0)
    shown = decode(encoded(image, "PNG", transparency=1))
    assert (shown.getpixel((0, 0)), shown.getpixel((4, 4))) == (RED, WHITE)


def test_alpha_in_a_palette():
    image = Image.new("PA", (8, 8), (0, 0))
    image.putpalette([*RED, *BLUE])
    assert images.pixels.to_rgb(image).getpixel((4, 4)) == WHITE


def test_cmyk_as_photoshop_writes_it_and_as_pil_writes_it():
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert near(decode(encoded(cyan, "JPEG", quality=95)).getpixel((8, 8)), (0, 255, 255), 4)
    assert decode(encoded(cyan, "TIFF")).getpixel((8, 8)) == (0, 255, 255)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_a_16_bit_gradient_becomes_the_8_bit_gradient(mode):
    deep = np.arange(256, dtype=np.uint16)[None] * 257  # 0 … 65,535
    image = {
        "I;16": lambda: Image.fromarray(deep),
        "I": lambda: Image.fromarray(deep.astype(np.int32)),
        "F": lambda: Image.fromarray(deep.astype(np.float32)),
    }[mode]()
    assert image.mode == mode
    shown = np.asarray(decode(encoded(image, "TIFF")))
    assert np.array_equal(shown[0, :, 0], np.arange(256))
    assert np.array_equal(shown[..., 0], shown[..., 2])


def test_16_bits_are_rounded_not_clipped_in_png():
    pixels = b"\0" + struct.pack(">4H", 0, 128, 32768, 65535)  # one filter byte, then four pixels
    shown = np.asarray(decode(png(4, 1, 16, 0, pixels)))[0, :, 0]
    assert shown.tolist() == [0, 0, 128, 255]


@pytest.mark.parametrize("bits", [12, 16])
def test_white_is_the_full_scale_of_a_deep_tiff(bits):
    white = 2**bits - 1
    data = grey_tiff(np.array([[0, white // 2, white]]), bits)
    assert np.asarray(decode(data))[0, :, 0].tolist() == [0, 127, 255]


def test_a_16_bit_tiff_in_which_0_is_white_is_no_negative():
    data = grey_tiff(np.array([[0, 65535]]), 16, white_is_zero=True)
    assert np.asarray(decode(data))[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 7, 8])
def test_the_size_is_that_of_the_turned_picture(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(halves((40, 20)), kind, exif=exif)
    image, size = decode_with_size(data, min_side=10)  # a JPEG is decoded at a half
    assert size == decode(data).size == ((20, 40) if orientation >= 5 else (40, 20))
    assert image.size == (size if kind != "JPEG" else (size[0] // 2, size[1] // 2))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),  # unit range
        ([0.0, 100.0, 255.0], [0, 100, 255]),  # 8-bit values in floats
        ([-2.0, 0.0, 2.0], [0, 128, 255]),  # no usual range: stretched
        ([7.5e6, 7.5e6, 7.5e6], [0, 0, 0]),  # flat and out of range: nothing to show, nothing to divide by
        ([float("nan")] * 3, None),
    ],
)
def test_float_images(values, wanted):
    shown = np.asarray(decode(encoded(Image.fromarray(np.float32([values])), "TIFF")))[0, :, 0]
    assert wanted is None or shown.tolist() == wanted


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_6_is_turned_clockwise(kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # what a phone held upright writes
    image = decode(encoded(halves((40, 20)), kind, exif=exif))
    assert image.size == (20, 40)
    assert near(image.getpixel((10, 4)), RED)  # the left edge of the sensor is the top of the picture
    assert near(image.getpixel((10, 35)), BLUE)
    assert not image.getexif()


def test_broken_exif_does_not_cost_the_picture():
    data = encoded(halves(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 9)
    assert decode(data).size == (40, 20)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_many(kind):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert near(decode(data).getpixel((8, 8)), RED)


def test_lab_says_what_to_do():
    with pytest.raises(ImageError, match="LAB colour space; save it as RGB"):
        decode(encoded(Image.new("LAB", (8, 8)), "TIFF"))


def test_a_40_megapixel_photograph_and_its_short_cut():
    data = encoded(Image.new("RGB", (7744, 5184), RED), "JPEG")  # 40.1 megapixels
    assert decode(data).size == (7744, 5184)
    small = decode(data, min_side=500)
    assert small.size == (968, 648)  # an eighth: the next step down does not exist
    assert near(small.getpixel((400, 300)), RED)


@pytest.mark.parametrize(
    ("min_side", "size"), [(100, (200, 120)), (120, (200, 120)), (121, (400, 240)), (900, (800, 480))]
)
def test_min_side_is_a_floor(min_side, size):
    data = encoded(noise((800, 480)), "JPEG")
    image = decode(data, min_side=min_side)
    assert image.size == size
    full = decode(data).resize(size, Image.Resampling.BOX)
    assert np.abs(np.asarray(image, float) - np.asarray(full, float)).mean() < 2


def test_min_side_leaves_other_formats_alone():
    assert decode(encoded(noise((800, 480)), "PNG"), min_side=10).size == (800, 480)


@pytest.mark.parametrize("size", [(1, 1), (1, 50_000), (50_000, 1)])
def test_strange_shapes(size):
    image = decode(encoded(Image.new("RGB", size, RED), "PNG"), min_side=64)
    assert image.size == size
    small = decode(thumbnail(image)[0])
    assert max(small.size) == min(max(size), 1024)
    assert min(small.size) == 1


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_a_view_is_decoded_as_its_bytes_are(kind):
    more = {"save_all": True, "append_images": [noise((60, 40))]} if kind == "MPO" else {}
    data = encoded(noise((120, 80)), kind, **more)
    image, size = decode_with_size(memoryview(data), min_side=32)
    assert size == (120, 80)
    assert image.tobytes() == decode(data, min_side=32).tobytes()


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"RIFF", encoded(halves(), "JPEG")[:300]]
)
def test_a_view_is_refused_as_its_bytes_are(data):
    with pytest.raises(ImageError) as by_bytes:
        decode(data)
    with pytest.raises(ImageError) as by_view:
        decode(memoryview(data))
    assert str(by_view.value) == str(by_bytes.value)


def test_a_jpeg_is_read_where_it_lies():
    data = memoryview(encoded(Image.effect_noise((2000, 1500), 90).convert("RGB"), "JPEG"))
    decode(data, min_side=300)
    tracemalloc.start()
    decode(data, min_side=300)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(data) / 8  # Python's objects; pixels are not counted


def test_threads_get_what_one_gets():
    files = [encoded(noise((64 + i, 64)), "JPEG") for i in range(16)] * 4
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decode, files))
    assert all(a.tobytes() == decode(data).tobytes() for a, data in zip(together, files, strict=True))
