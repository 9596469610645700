"""Strangers' pictures: how many pixels one of them, and all of them together, may have."""

import gc
import struct
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from PIL import Image, ImageFile

from pipeline.errors import ImageError, SimileError
from pipeline.images import decode
from pipeline.images.isobmff import coded_sizes, primary_picture
from pipeline.images.limits import BUSY, DecodeLimits, PixelBudget, decoding_within
from tests.images.made_images import RED, encoded, png

MEGA = 1_000_000


def webp(width: int, height: int, kind: bytes) -> bytes:
    """A WebP file of which there is little more than the header."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = {
        b"VP8X": bytes(4) + sides,
        b"VP8L": b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(9),
        b"VP8 ": bytes(3) + b"\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little"),
    }[kind]
    chunk = kind + len(body).to_bytes(4, "little") + body
    return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk


@pytest.fixture
def visitor() -> Iterator[PixelBudget]:
    """Decodes as a page does for its visitors."""
    budget = PixelBudget(60 * MEGA, patience=0.05)
    with decoding_within(DecodeLimits(25 * MEGA, budget)):
        yield budget


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L", b"VP8 "])
def test_a_webp_bomb_is_refused_before_its_pixels_are_allocated(
    visitor: PixelBudget, monkeypatch: pytest.MonkeyPatch, kind: bytes
) -> None:
    data = webp(16_000, 6_000, kind)
    assert len(data) <= 34
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("PIL opened it"))
    with pytest.raises(ImageError, match="16000 × 6000 pixels and the limit is 25 megapixels"):
        decode(data)


def test_the_header_of_a_real_webp_is_read_as_pil_reads_it() -> None:
    for options in ({"lossless": True}, {"quality": 50}, {"quality": 50, "exif": b"Exif\0\0"}):
        data = encoded(Image.new("RGB", (300, 200), RED), "WEBP", **options)
        with decoding_within(DecodeLimits(300 * 200 - 1)), pytest.raises(ImageError, match="300 × 200"):
            decode(data)
        with decoding_within(DecodeLimits(300 * 200)):
            assert decode(data).size == (300, 200)


def test_a_photograph_of_a_phone_passes_and_a_png_of_that_size_does_not(visitor: PixelBudget) -> None:
    """48 megapixels: a JPEG is counted as it is decoded, at a smaller scale."""
    phone = encoded(Image.new("L", (8000, 6000), 128), "JPEG")
    assert decode(phone, min_side=256).size == (1000, 750)
    assert decode(phone, min_side=5000).size == (4000, 3000), "as much of it as the limit allows"
    with pytest.raises(ImageError, match="8000 × 6000 pixels and the limit is 25 megapixels"):
        decode(phone)
    tracemalloc.start()
    with pytest.raises(ImageError, match="8000 × 6000 pixels and the limit is 25 megapixels"):
        decode(png(8000, 6000, 8, 2, b""), min_side=256)
    assert tracemalloc.get_traced_memory()[1] < 10 * MEGA
    tracemalloc.stop()


def test_pixels_come_back_when_the_picture_goes(visitor: PixelBudget) -> None:
    data = encoded(Image.new("L", (1000, 500)), "PNG")
    image = decode(data)
    assert visitor.left == 60 * MEGA - 500_000
    del image
    gc.collect()
    assert visitor.left == 60 * MEGA
    with pytest.raises(ImageError):
        decode(data[: len(data) // 2])
    assert visitor.left == 60 * MEGA, "also after a damaged file"


def test_a_progressive_jpeg_counts_whole(visitor: PixelBudget) -> None:
    """The decoder holds all of its coefficients, whatever the scale."""
    image = decode(encoded(Image.new("L", (2000, 1000)), "JPEG", progressive=True), min_side=100)
    assert image.size == (250, 125) and visitor.left == 58 * MEGA


def test_who_finds_no_pixels_left_waits_and_is_then_told() -> None:
    data, budget = encoded(Image.new("L", (100, 100)), "PNG"), PixelBudget(15_000, patience=0.05)
    with decoding_within(DecodeLimits(budget=budget)):
        first = decode(data)
        with pytest.raises(SimileError, match=BUSY):
            decode(data)
        del first
        patient = PixelBudget(15_000, patience=20)
    with decoding_within(DecodeLimits(budget=patient)):
        kept = [decode(data)]
        threading.Timer(0.05, kept.clear).start()
        assert decode(data).size == (100, 100)


def test_a_picture_larger_than_the_budget_is_decoded_alone() -> None:
    budget = PixelBudget(100)
    with decoding_within(DecodeLimits(budget=budget)):
        assert decode(encoded(Image.new("L", (100, 100)), "PNG")).size == (100, 100)


def tiff_with_a_tile(size: tuple[int, int], tile: tuple[int, int]) -> bytes:
    """Grey; of its one tile there are a few bytes."""
    tags = {256: size[0], 257: size[1], 258: 8, 259: 8, 262: 1, 277: 1, 322: tile[0], 323: tile[1]}
    tags |= {324: 8, 325: 16}  # where the tile lies, and its bytes
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 24) + bytes(16) + struct.pack("<H", len(tags)) + entries + bytes(4)


def said_to_be(data: bytes, size: tuple[int, int]) -> bytes:
    """A HEIC or AVIF file whose boxes speak of another size than its code has."""
    place, changed = 0, bytearray(data)
    while (place := data.find(b"ispe", place + 1)) > 0:
        changed[place + 8 : place + 16] = struct.pack(">II", *size)
    return bytes(changed)


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHI", 70, 0, 54, 40, width, height, 1, 24, 0) + bytes(36)


def gif(canvas: tuple[int, int], frame: tuple[int, int]) -> bytes:
    head = b"GIF89a" + struct.pack("<HH", *canvas) + b"\x80\0\0" + bytes(6)
    return head + b"," + struct.pack("<HHHH", 0, 0, *frame) + b"\0\x02\x02\x44\x01\0;"


FLAT = Image.new("RGB", (400, 300), RED)
HUGE = {
    "PNG": png(8000, 6000, 8, 2, b""),
    "BMP": bmp(8000, -6000),
    "GIF, canvas": gif((8000, 6000), (1, 1)),
    "GIF, frame": gif((1, 1), (8000, 6000)),
    "TIFF": tiff_with_a_tile((8000, 6000), (16, 16)),
    "TIFF, tile": tiff_with_a_tile((16, 16), (8192, 8192)),
    "HEIC": said_to_be(encoded(FLAT, "HEIF"), (8000, 6000)),
    "AVIF": said_to_be(encoded(FLAT, "AVIF"), (8000, 6000)),
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_size_is_refused_before_pixels_are_allocated(
    visitor: PixelBudget, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(ImageError, match=r"× \d+ pixels and the limit is 25 megapixels"):
        decode(HUGE[kind])


def test_the_code_of_an_avif_counts_whatever_its_boxes_say(monkeypatch: pytest.MonkeyPatch) -> None:
    with decoding_within(DecodeLimits(50_000)):
        lying = said_to_be(encoded(FLAT, "AVIF"), (10, 10))
        with monkeypatch.context() as patch, pytest.raises(ImageError, match="120,000 pixels in its code"):
            patch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
            decode(lying)
        with pytest.raises(ImageError, match="damaged"):  # its decoder refuses that by itself
            decode(said_to_be(encoded(FLAT.resize((4000, 3000)), "HEIF"), (10, 10)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize(
    "options", [{}, {"exif": b"Exif\0\0MM\0*" + bytes(8)}, {"speed": 10, "subsampling": "4:4:4"}]
)
def test_the_code_of_real_avifs_is_understood(mode: str, options: dict[str, Any]) -> None:
    image = Image.effect_noise((90, 70), 50).convert(mode)
    if mode == "RGBA":
        image.putalpha(100)
    for more in ({}, {"save_all": True, "append_images": [image.rotate(90)]}):
        data = encoded(image, "AVIF", **options, **more)
        sizes = list(coded_sizes(data))
        assert sizes == [(90, 70)] * (2 if mode == "RGBA" else 1)
        with decoding_within(DecodeLimits(90 * 70, PixelBudget(20_000))):
            assert decode(data).size == (90, 70)


def test_an_animation_in_avif_is_not_read_from_its_track() -> None:
    """Only the primary picture has been measured."""
    data = encoded(FLAT, "AVIF", save_all=True, append_images=[FLAT.rotate(90)])
    assert data[8:12] == b"avis" and primary_picture(data)[8:12] == b"avif"
    assert primary_picture(b"RIFF") == b"RIFF"


def test_broken_boxes_are_refused_in_a_sentence() -> None:
    data = encoded(FLAT, "AVIF")
    for name in (b"iloc", b"iinf", b"ipco"):
        place = data.find(name)
        for size in (0, 3, 2**31):
            with suppress(ImageError):  # and nothing else
                decode(data[: place - 4] + struct.pack(">I", size) + data[place:])
    for place in range(data.find(b"meta"), len(data), 3):
        with suppress(ImageError):
            decode(data[:place] + b"\xff" + data[place + 1 :])


def test_a_progressive_jpeg_may_have_twice_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(FLAT, "JPEG", progressive=True)
    with decoding_within(DecodeLimits(60_000)):
        assert decode(data, min_side=100).size == (200, 150)
    with decoding_within(DecodeLimits(59_000)), pytest.raises(ImageError, match="400 × 300 pixels"):
        decode(data, min_side=100)


def test_jobs_keep_their_own_limits() -> None:
    with pytest.raises(ImageError, match="the limit is 100 megapixels"):
        decode(png(10_001, 10_001, 8, 2, b""))
