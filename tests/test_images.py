"""Every kind of picture that people have, and every way in which a file can be broken."""

import io
import random
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from pipeline import images
from pipeline.errors import ImageError
from pipeline.images import data_url, decode, thumbnail

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def halves(size=(40, 20), left=RED, right=BLUE) -> Image.Image:
    """Left half one colour, right half another."""
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def noise(size: tuple[int, int]) -> Image.Image:
    """Smooth enough for JPEG, and different everywhere."""
    small = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def near(pixel, wanted, tolerance=6) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, wanted, strict=True))


def png(width: int, height: int, depth: int, colour: int, pixels: bytes) -> bytes:
    """A PNG by hand, so that its header can say what its pixels do not hold."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


# --- what is decoded


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
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
    assert images._to_rgb(image).getpixel((4, 4)) == WHITE


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


# --- size


def test_a_40_megapixel_photograph_and_its_short_cut():
    data = encoded(Image.new("RGB", (7744, 5184), RED), "JPEG")  # 40.1 megapixels
    assert decode(data).size == (7744, 5184)
    started = time.perf_counter()
    small = decode(data, min_side=500)
    assert time.perf_counter() - started < 2
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


# --- what is refused


@pytest.mark.parametrize("side", [10_001, 13_000, 40_000])  # PIL: warning, warning, error
def test_a_bomb_is_refused_by_its_header(side):
    started = time.perf_counter()
    with pytest.raises(ImageError, match="megapixels; scale it down"):
        decode(png(side, side, 8, 2, b""))
    assert time.perf_counter() - started < 0.5


def test_max_pixels_is_a_limit():
    data = encoded(noise((20, 10)), "PNG")
    assert decode(data, max_pixels=200).size == (20, 10)
    with pytest.raises(ImageError, match="20 × 10 pixels"):
        decode(data, max_pixels=199)


def test_too_many_bytes(monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 2 * 2**20)
    with pytest.raises(ImageError, match="3 MiB and the limit is 2; make it smaller"):
        decode(bytes(3 * 2**20))


@pytest.mark.parametrize(
    "data",
    [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xff\xd8\xff", b"RIFF\x04\0\0\0WEBP", bytes(100)],
    ids=["svg", "a JPEG's first bytes", "an empty WebP", "zeros"],
)
def test_not_an_image(data):
    with pytest.raises(ImageError, match=r"not a readable image; expected JPEG, PNG"):
        decode(data)


def test_a_format_that_is_not_on_the_list():
    with pytest.raises(ImageError, match="not a readable image"):
        decode(encoded(Image.new("RGB", (16, 16)), "ICO"))


def test_no_bytes():
    with pytest.raises(ImageError, match="empty"):
        decode(b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_a_file_cut_in_half(kind):
    data = encoded(noise((200, 200)), kind)
    with pytest.raises(ImageError) as raised:
        decode(data[: len(data) // 2])
    message = str(raised.value)
    assert any(words in message for words in ("cut short", "damaged", "not a readable image"))
    assert "\n" not in message


def test_no_bytes_at_all_get_anything_but_an_image_or_an_image_error():
    chance = random.Random(0)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
        data = encoded(noise((24, 24)), kind)
        for _ in range(120):
            broken = bytearray(data)
            for _ in range(chance.randint(1, 6)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            try:
                image = decode(bytes(broken))
            except ImageError:
                continue
            assert image.mode == "RGB"


def test_nothing_is_written_to_stderr():
    """In a process of its own, because pytest has its own filters of warnings."""
    bomb = png(9_900, 9_900, 8, 2, b"")  # within our limit, above PIL's warning
    exif = encoded(halves(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 9)
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([*RED, *BLUE])
    files = [bomb, exif, encoded(palette, "PNG", transparency=b"\0\x80")]
    program = (
        "import sys; from pipeline import images\n"
        f"for data in {files!r}:\n"
        "    try: images.thumbnail(images.decode(data), data)\n"
        "    except images.ImageError: pass\n"
    )
    for flags in ([], ["-W", "error"]):
        done = subprocess.run([sys.executable, *flags, "-c", program], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_threads_get_what_one_gets():
    files = [encoded(noise((64 + i, 64)), "JPEG") for i in range(16)] * 4
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decode, files))
    assert all(a.tobytes() == decode(data).tobytes() for a, data in zip(together, files, strict=True))


# --- thumbnails


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((800, 600), (341, 256)),
        ((600, 800), (256, 341)),
        ((100, 60), (100, 60)),  # never enlarged
        ((4096, 512), (1024, 128)),  # a panorama: the long side decides
    ],
)
def test_size_of_a_thumbnail(size, wanted):
    data, mime = thumbnail(noise(size))
    small = decode(data)
    assert (small.size, mime) == (wanted, "image/webp")
    assert np.abs(np.asarray(small, float) - np.asarray(noise(size).resize(wanted), float)).mean() < 4


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_small_bare_original_is_its_own_thumbnail(kind, options, mode):
    data = encoded(noise((100, 60)).convert(mode), kind, **options)
    assert thumbnail(decode(data), data) == (data, f"image/{kind.lower()}")


def orientation() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    return exif


def text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "somebody")
    return info


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TWO = {"save_all": True, "append_images": [halves((100, 60))]}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"exif": orientation()}),
        ("JPEG", {"comment": b"taken at home"}),
        ("JPEG", {"icc_profile": PROFILE}),
        ("JPEG", {"xmp": b"<x:xmpmeta/>"}),
        ("PNG", {"exif": orientation()}),
        ("PNG", {"pnginfo": text()}),
        ("PNG", TWO),
        ("WEBP", {"exif": orientation()}),
        ("WEBP", TWO),
        ("GIF", {}),
        ("BMP", {}),
    ],
)
def test_what_could_tell_of_its_maker_is_encoded_anew(kind, options):
    data = encoded(noise((100, 60)), kind, **options)
    small, mime = thumbnail(decode(data), data)
    assert mime == "image/webp"
    shown = Image.open(io.BytesIO(small))
    assert not {"exif", "xmp", "icc_profile", "comment"} & set(shown.info)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_bytes_after_the_end_are_not_passed_on(kind):
    data = encoded(noise((100, 60)), kind)
    small, mime = thumbnail(decode(data), data + b"where I live")
    assert mime == "image/webp"
    assert b"where I live" not in small


@pytest.mark.parametrize("size", [(300, 300), (1100, 40)])
def test_large_originals_are_not_their_own_thumbnail(size):
    data = encoded(Image.new("RGB", size), "PNG")
    assert thumbnail(decode(data), data)[1] == "image/webp"


def test_heavy_originals_are_not_their_own_thumbnail():
    rough = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    data = encoded(rough, "PNG")  # 120 kB: noise does not compress
    assert thumbnail(rough, data)[1] == "image/webp"


def test_an_image_that_was_changed_is_not_its_own_thumbnail():
    data = encoded(noise((100, 60)), "PNG")
    assert thumbnail(decode(data).crop((0, 0, 50, 60)), data)[1] == "image/webp"


def test_data_url():
    assert data_url(b"abc", "image/webp") == "data:image/webp;base64,YWJj"
