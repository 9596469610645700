"""Strangers' pictures: how many pixels one of them, and all of them together, may have."""

import gc
import threading
import tracemalloc
from collections.abc import Iterator

import pytest
from PIL import Image

from pipeline.errors import ImageError, SimileError
from pipeline.images import decode, header_size
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
    for read in (decode, header_size):
        with pytest.raises(ImageError, match="16000 × 6000 pixels and the limit is 25 megapixels"):
            read(data)


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


def test_jobs_keep_their_own_limits() -> None:
    with pytest.raises(ImageError, match="the limit is 100 megapixels"):
        decode(png(10_001, 10_001, 8, 2, b""))
