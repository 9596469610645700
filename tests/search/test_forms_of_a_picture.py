"""A query finds the same whatever the picture is handed over as."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline import load_encoder
from pipeline.errors import SimileError
from pipeline.images import DecodeLimits, decoding_within
from pipeline.search import Collection
from tests.search.conftest import grey


def _turned_and_transparent() -> bytes:
    """Light on a transparent ground, lying on its side."""
    image = Image.new("RGBA", (48, 24), (0, 0, 0, 0))
    image.paste((200, 220, 240), (0, 0, 20, 24))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    return file.getvalue()


def test_an_encoder_gives_one_vector_for_all_forms(tmp_path: Path) -> None:
    data = _turned_and_transparent()
    (tmp_path / "picture.png").write_bytes(data)
    upright = np.asarray(Image.open(io.BytesIO(data)).transpose(Image.Transpose.ROTATE_270))
    tensor = torch.from_numpy(upright.copy()).permute(2, 0, 1)
    files = [data, tmp_path / "picture.png", Image.open(io.BytesIO(data))]
    forms = [*files, upright, upright / 255, tensor, tensor / 255]
    vectors = load_encoder("weights:cifar10-cnn", device="cpu").encode(forms)
    assert np.abs(vectors - vectors[0]).max() < 1e-5


def test_a_search_takes_all_forms(greys: Collection) -> None:
    picture = grey(50)
    pixels = np.asarray(picture)
    forms = [picture, pixels, pixels[..., 0], torch.full((3, 8, 8), 50, dtype=torch.uint8)]
    wanted = [hit.id for hit in greys.search(picture, k=3)]
    assert all([hit.id for hit in greys.search(form, k=3)] == wanted for form in forms)
    data = _turned_and_transparent()
    by_bytes, by_image = greys.embed([data, Image.open(io.BytesIO(data))])
    assert np.array_equal(by_bytes, by_image)


def test_many_pictures_find_what_each_finds_alone(greys: Collection) -> None:
    pictures = [grey(level) for level in range(0, 140, 2)]
    for metric in ("cosine", "hamming"):
        together = greys.search_many(pictures, metric, k=3, filters={"style": "even"})
        alone = [greys.search(one, metric, k=3, filters={"style": "even"}) for one in pictures]
        assert [[hit.id for hit in hits] for hits in together] == [[hit.id for hit in hits] for hits in alone]
    assert greys.search_many([]) == []


def test_limits_of_decoding_hold_for_many_pictures_too(greys: Collection) -> None:
    large = Image.new("RGB", (64, 64))
    with decoding_within(DecodeLimits(max_pixels=1000)), pytest.raises(SimileError, match="64 × 64 pixels"):
        greys.search_many([large, large])
