"""A picture is the same picture whatever it is handed over as."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.errors import ImageError
from pipeline.images import as_rgb, decode
from tests.images.made_images import display_p3, encoded, halves, noise


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _transparent() -> Image.Image:
    image = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    image.paste("white", (5, 5, 20, 20))
    return image


_DEEP = Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 54)
_FILES = {
    "turned": encoded(noise((40, 30)), "JPEG", exif=_exif(6)),
    "turned TIFF": encoded(halves((40, 30)), "TIFF", exif=_exif(8)),
    "transparent": encoded(_transparent(), "PNG"),
    "16 bits": encoded(_DEEP, "PNG"),
    "palette": encoded(noise((40, 30)).quantize(16), "PNG"),
    "CMYK": encoded(noise((40, 30)).convert("CMYK"), "JPEG"),
    "Display P3": encoded(noise((40, 30)), "JPEG", icc_profile=display_p3()),
    "HEIC": encoded(noise((40, 30)), "HEIF"),
    "a photograph": encoded(noise((1600, 1200)), "JPEG"),
}


@pytest.mark.parametrize("data", _FILES.values(), ids=_FILES)
def test_bytes_path_and_pil_image_are_the_same(data: bytes, tmp_path: Path) -> None:
    wanted = decode(data, min_side=256)
    (tmp_path / "picture").write_bytes(data)
    opened = Image.open(io.BytesIO(data))
    before = (opened.size, opened.mode)
    for given in (data, tmp_path / "picture", str(tmp_path / "picture"), opened):
        found = as_rgb(given, min_side=256)
        assert (found.mode, found.size, found.info) == ("RGB", wanted.size, {})
        assert found.tobytes() == wanted.tobytes()
    assert (opened.size, opened.mode) == before  # the caller's image stays as it was
    opened.load()
    assert as_rgb(opened).tobytes() == decode(data).tobytes()


def _arrays(image: Image.Image) -> dict[str, Any]:
    """A picture as libraries hold it."""
    pixels = np.asarray(image)
    first = np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels
    return {
        "uint8": pixels,
        "float32 from 0 to 1": pixels.astype(np.float32) / 255,
        "float64 from 0 to 255": pixels.astype(np.float64),
        "uint16": pixels.astype(np.uint16) * 257,
        "not contiguous": np.asfortranarray(pixels),
        "tensor of uint8": torch.from_numpy(first.copy()),
        "tensor of floats": torch.from_numpy(first.copy()).float().requires_grad_() / 255,
    }


@pytest.mark.parametrize("image", [noise((40, 30)), noise((40, 30)).convert("L"), _transparent()])
def test_arrays_and_tensors_are_the_same(image: Image.Image) -> None:
    wanted = decode(encoded(image, "PNG"))
    for name, array in _arrays(image).items():
        assert as_rgb(array).tobytes() == wanted.tobytes(), name


def test_an_array_of_one_channel_is_grey() -> None:
    grey = np.asarray(noise((40, 30)).convert("L"))
    assert as_rgb(grey[..., None]).tobytes() == as_rgb(torch.from_numpy(grey.copy())[None]).tobytes()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            np.zeros((2, 8, 8, 3), np.uint8),
            r"shape \(2, 8, 8, 3\) is no picture; expected \(H, W\), \(H, W, 3\)",
        ),
        (np.zeros((3, 8, 8), np.uint8), r"shape \(3, 8, 8\) is no picture"),
        (torch.zeros(8, 8, 3), "is no picture; expected"),
        (np.zeros((0, 8), np.uint8), "is no picture; expected"),
        (np.zeros((8, 8), np.int64), "an array of int64 is no picture; expected uint8, uint16"),
        (7, "a int is no picture; expected a PIL image, bytes, a path, a numpy array or a torch tensor"),
        ("/nowhere/cat.jpg", "'/nowhere/cat.jpg' cannot be read: No such file"),
        (b"", "empty"),
        (Image.new("RGB", (0, 5)), "the PIL image has 0 × 5 pixels"),
    ],
)
def test_what_is_no_picture_is_refused_by_a_sentence(given: Any, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        as_rgb(given)


def test_a_path_is_named_with_what_is_wrong_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"meow")
    with pytest.raises(ImageError, match=r"cat.jpg': these 4 bytes are not a readable image"):
        as_rgb(tmp_path / "cat.jpg")
