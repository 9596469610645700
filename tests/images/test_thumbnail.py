"""Thumbnails: their size, and which originals are their own thumbnail."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from pipeline.images import data_url, decode, thumbnail
from tests.images.made_images import encoded, halves, noise


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
    assert (small.size, mime) == (wanted, "image/jpeg")
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
    assert mime == "image/jpeg"
    shown = Image.open(io.BytesIO(small))
    assert not {"exif", "xmp", "icc_profile", "comment"} & set(shown.info)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_bytes_after_the_end_are_not_passed_on(kind):
    data = encoded(noise((100, 60)), kind)
    small, mime = thumbnail(decode(data), data + b"where I live")
    assert mime == "image/jpeg"
    assert b"where I live" not in small


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (16, 16), (16, 300)])
def test_a_small_thumbnail_keeps_the_colour_of_each_pixel(size):
    chance = np.random.default_rng(0)
    image = Image.fromarray(chance.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    assert np.array_equal(np.asarray(decode(thumbnail(image)[0])), np.asarray(image))


@pytest.mark.parametrize("size", [(300, 300), (1100, 40)])
def test_large_originals_are_not_their_own_thumbnail(size):
    data = encoded(Image.new("RGB", size), "PNG")
    assert thumbnail(decode(data), data)[1] == "image/jpeg"


def test_heavy_originals_are_not_their_own_thumbnail():
    rough = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    data = encoded(rough, "PNG")  # 120 kB: noise does not compress
    assert thumbnail(rough, data)[1] == "image/jpeg"


def test_an_image_that_was_changed_is_not_its_own_thumbnail():
    data = encoded(noise((100, 60)), "PNG")
    assert thumbnail(decode(data).crop((0, 0, 50, 60)), data)[1] == "image/jpeg"


def test_data_url():
    assert data_url(b"abc", "image/webp") == "data:image/webp;base64,YWJj"


def test_a_system_without_files_in_memory_makes_the_same_thumbnail(monkeypatch):
    image = noise((400, 300))
    made = thumbnail(image)
    monkeypatch.setattr(os, "memfd_create", forbidden, raising=False)
    assert thumbnail(image) == made
    monkeypatch.delattr(os, "memfd_create")
    assert thumbnail(image) == made


def forbidden(name):
    raise PermissionError(f"no file {name}")


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="there are no such files")
def test_no_file_in_memory_stays_open():
    for _ in range(5):
        thumbnail(noise((400, 300)))
    links = Path("/proc/self/fd").iterdir()
    assert not any("memfd:thumbnail" in str(link.readlink()) for link in links if link.is_symlink())
