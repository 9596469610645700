"""Places of a picture: their mean is the embedding where a network pools by a mean."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.encoders import Encoder, load_encoder
from pipeline.errors import SimileError
from pipeline.why.seen_part import seen_part
from tests.encoders.small_networks import save_timm, save_transformers


def saved(kind: str, folder: Path) -> Encoder:
    library, _, name = kind.partition(":")
    (save_timm if library == "timm" else save_transformers)(name, folder)
    return load_encoder(str(folder))


def batch(encoder: Encoder, pictures: list[Image.Image]) -> np.ndarray:
    return np.stack([encoder.preprocess(picture) for picture in pictures[:2]])


@pytest.mark.parametrize(
    "kind", ["timm:resnet18", "timm:swin_tiny_patch4_window7_224", "transformers:convnext"]
)
def test_places_of_mean_pooled_networks_average_to_the_embedding(
    kind: str, pictures: list[Image.Image], tmp_path: Path
) -> None:
    encoder = saved(kind, tmp_path)
    tensor = batch(encoder, pictures)
    places = encoder.spatial(tensor)
    assert places.shape[1] > 1 and places.dtype == np.float32
    assert np.allclose(places.mean((1, 2)), encoder.encode_tensor(tensor), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "grid"),
    [
        ("timm:vit_tiny_patch16_224", (2, 4, 4, 192)),
        ("timm:deit_tiny_distilled_patch16_224", (2, 4, 4, 192)),
        ("timm:vit_base_patch16_siglip_224", (2, 4, 4, 24)),
        ("timm:vit_base_patch32_clip_224", (2, 2, 2, 20)),
        ("transformers:dinov2", (2, 4, 4, 32)),
        ("transformers:clip", (2, 4, 4, 24)),
        ("transformers:siglip", (2, 4, 4, 32)),
    ],
)
def test_patch_tokens_lie_in_the_space_of_the_embedding(
    kind: str, grid: tuple[int, ...], pictures: list[Image.Image], tmp_path: Path
) -> None:
    encoder = saved(kind, tmp_path)
    places = encoder.spatial(batch(encoder, pictures))
    assert places.shape == grid and grid[-1] == encoder.dimension


def test_grid_runs_by_rows_from_the_top_left(tmp_path: Path) -> None:
    """Only the bottom right quarter of the picture changes: so do only the tokens of that quarter, most."""
    encoder = saved("transformers:vit", tmp_path)
    grey = Image.new("RGB", (32, 32), "grey")
    marked = grey.copy()
    marked.paste("white", (16, 16, 32, 32))
    before, after = encoder.spatial(batch(encoder, [grey, marked]))
    change = np.linalg.norm(after - before, axis=-1)
    assert change[2:, 2:].min() > 2 * np.delete(change.reshape(-1), [10, 11, 14, 15]).max()


def test_network_without_places_says_so(pictures: list[Image.Image], tmp_path: Path) -> None:
    encoder = saved("timm:mixer_s32_224", tmp_path)
    with pytest.raises(SimileError, match="cannot show which places of a picture matter"):
        encoder.spatial(batch(encoder, pictures))


def test_seen_part_is_the_middle_where_a_network_crops() -> None:
    """lite0 cuts 224 of 256 pixels of the short side: 1/16 goes on each side; of the long side, more."""
    encoder = load_encoder("pypi:efficientnet-lite0")
    left, top, right, bottom = seen_part(encoder, (300, 600))
    assert np.allclose([left, right], [1 / 16, 15 / 16], atol=0.01)
    assert np.allclose([top, bottom], [0.5 - 7 / 32, 0.5 + 7 / 32], atol=0.01)


def test_seen_part_is_everything_where_a_network_squashes() -> None:
    encoder = load_encoder("pypi:efficientnet-lite0@64px")
    assert np.allclose(seen_part(encoder, (300, 600)), (0, 0, 1, 1), atol=0.01)
