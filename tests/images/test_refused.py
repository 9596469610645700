"""Every way in which a file can be broken, and files that are too large."""

import random
import subprocess
import sys

import pytest
from PIL import Image

from pipeline import images
from pipeline.errors import ImageError
from pipeline.images import decode
from pipeline.images.limits import DecodeLimits, decoding_within
from tests.images.made_images import BLUE, RED, encoded, halves, noise, png


@pytest.mark.parametrize("side", [10_001, 13_000, 40_000])  # PIL: warning, warning, error
def test_a_bomb_is_refused_by_its_header(side):
    """The file holds no pixels: a decoder that looked for them would say that it was cut short."""
    with pytest.raises(ImageError, match="megapixels; scale it down"):
        decode(png(side, side, 8, 2, b""))


def test_max_pixels_is_a_limit():
    data = encoded(noise((20, 10)), "PNG")
    with decoding_within(DecodeLimits(max_pixels=200)):
        assert decode(data).size == (20, 10)
    with decoding_within(DecodeLimits(max_pixels=199)), pytest.raises(ImageError, match="20 × 10 pixels"):
        decode(data)


def test_too_many_bytes(monkeypatch):
    monkeypatch.setattr(images.decoding, "MAX_BYTES", 2 * 2**20)
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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_a_file_cut_in_half(kind):
    data = encoded(noise((200, 200)), kind)
    with pytest.raises(ImageError) as raised:
        decode(data[: len(data) // 2])
    message = str(raised.value)
    assert any(words in message for words in ("cut short", "damaged", "not a readable image"))
    assert "\n" not in message


def test_no_bytes_at_all_get_anything_but_an_image_or_an_image_error():
    chance = random.Random(0)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"):
        data = encoded(noise((24, 24)), kind)
        for _ in range(120):
            broken = bytearray(data)
            for _ in range(chance.randint(1, 6)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            for given in (bytes(broken), memoryview(broken)):
                try:
                    image = decode(given)
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
        "import sys; from pipeline import SimileError, images\n"
        f"for data in {files!r}:\n"
        "    try: images.thumbnail(images.decode(data), data)\n"
        "    except SimileError: pass\n"
    )
    for flags in ([], ["-W", "error"]):
        done = subprocess.run([sys.executable, *flags, "-c", program], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
