"""Similarity taken apart by places: by hand on two places, and on pictures that share an object."""

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.encoders import Encoder, load_encoder
from pipeline.projection import Projection, fit_projection, identity
from pipeline.vectors import agreeing_bits, hamming_distances
from pipeline.why.heat_map import Places, explain

ROOT = Path(__file__).resolve().parents[2]
SIDE = 224  # pixels: 7 × 7 places of 32


def mean_pooled(*places: list[float]) -> Places:
    """A picture of one row of places."""
    grid = np.array([places], np.float32)
    return Places(grid, grid.mean((0, 1)))


def test_two_places_by_hand() -> None:
    """Means (½, ½) and (1, 0): the cosine is √½, and only the first place of the query has a part in it."""
    found = explain(mean_pooled([1, 0], [0, 1]), mean_pooled([1, 0], [1, 0]), identity(2))
    whole = np.sqrt(0.5)
    assert found.exact and found.similarity == pytest.approx(whole)
    assert np.allclose(found.pairs, [[whole / 2, whole / 2], [0, 0]])
    assert np.allclose(found.query, [[whole, 0]])
    assert np.allclose(found.hit, [[whole / 2, whole / 2]])


def test_a_place_that_speaks_against_the_match_is_negative() -> None:
    found = explain(mean_pooled([3, 0], [-1, 0]), mean_pooled([1, 0]), identity(2))
    assert np.allclose(found.query, [[1.5, -0.5]])
    assert found.similarity == pytest.approx(1)


def test_parts_add_up_to_the_cosine_of_projected_vectors() -> None:
    rng = np.random.default_rng(0)
    grids = np.abs(rng.normal(size=(2, 3, 4, 8))).astype(np.float32)
    projection = fit_projection(np.abs(rng.normal(size=(100, 8))), 5)
    found = explain(*(Places(grid, grid.mean((0, 1))) for grid in grids), projection)
    first, second = projection.apply(grids.mean((1, 2)))
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert found.query.shape == found.hit.shape == (3, 4)
    for parts in (found.query, found.hit, found.pairs):
        assert parts.sum() == pytest.approx(cosine, abs=1e-5)
    assert found.similarity == pytest.approx(cosine, abs=1e-5)


def test_tokens_beside_a_class_token_are_compared_and_not_summed() -> None:
    """The embedding (0, 2) is no mean of its tokens: each is compared with the other embedding by cosine."""
    query = Places(np.array([[[5, 0], [0, 3]]], np.float32), np.array([0, 2], np.float32))
    hit = Places(np.array([[[1, 1]]], np.float32), np.array([0, 1], np.float32))
    found = explain(query, hit, identity(2))
    assert not found.exact and found.similarity == pytest.approx(1)
    assert np.allclose(found.query, [[0, 1]])
    assert np.allclose(found.hit, [[np.sqrt(0.5)]])
    assert np.allclose(found.pairs, [[np.sqrt(0.5)], [np.sqrt(0.5)]])


def test_another_networks_projection_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 3"):
        explain(mean_pooled([1, 0]), mean_pooled([1, 0]), identity(3))


def test_agreeing_bits_are_all_but_the_differing_ones() -> None:
    codes = Projection.codes(np.random.default_rng(1).normal(size=(2, 64)))
    differing = int(hamming_distances(codes[0], codes[1:])[0])
    assert 0 < differing < 64
    assert int(agreeing_bits(*codes).sum()) == 64 - differing


# --- a real network


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("pypi:efficientnet-lite0@224px")


@pytest.fixture(scope="module")
def paintings() -> list[Image.Image]:
    rows = pq.read_table(next((ROOT / "samples/wikiart/data").glob("*.parquet"))).slice(0, 12).to_pylist()
    opened = [Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB") for row in rows]
    return [picture.resize((SIDE, SIDE)) for picture in opened]


def places(encoder: Encoder, pictures: list[Image.Image]) -> list[Places]:
    batch = np.stack([encoder.preprocess(picture) for picture in pictures])
    return [
        Places(grid, e) for grid, e in zip(encoder.spatial(batch), encoder.encode_tensor(batch), strict=True)
    ]


def test_maps_peak_on_the_object_that_both_pictures_share(
    encoder: Encoder, paintings: list[Image.Image]
) -> None:
    """The same 96-pixel object on two backgrounds, top left in one and bottom right in the other."""
    shared = paintings[0].crop((40, 40, 184, 184)).resize((96, 96))
    first, second = Image.new("RGB", (SIDE, SIDE), "#888"), Image.new("RGB", (SIDE, SIDE), "#b9c4a8")
    first.paste(shared, (0, 0))
    second.paste(shared, (128, 128))
    projection = fit_projection(encoder.encode(paintings), 8)
    found = explain(*places(encoder, [first, second]), projection)
    assert found.exact
    row, column = np.unravel_index(found.query.argmax(), found.query.shape)
    assert row <= 2 and column <= 2
    row, column = np.unravel_index(found.hit.argmax(), found.hit.shape)
    assert row >= 4 and column >= 4
    inside = np.clip(found.query, 0, None)
    assert inside[:3, :3].sum() > 0.5 * inside.sum()  # 9 of 49 places
