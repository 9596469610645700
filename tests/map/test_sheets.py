"""Sheets of thumbnails: order on the map, what is on which sheet, and where."""

import io

import numpy as np
from PIL import Image

from pipeline.map.sheets import SHEET_SIDE, curve_order, sheets, spread_sample, tile


def encoded(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_curve_visits_quarters_one_after_the_other() -> None:
    corners = np.array([[0.9, 0.9], [-0.9, -0.9], [0.9, -0.9], [-0.9, 0.9], [-0.8, -0.9]], np.float32)
    assert curve_order(corners).tolist() == [1, 4, 2, 3, 0]


def test_sample_takes_one_point_of_every_cell() -> None:
    """A 2 × 2 grid: three points share a cell, and the one at its centre is taken."""
    points = np.array([[-0.9, -0.9], [-0.5, -0.5], [-0.1, -0.1], [0.5, 0.5]], np.float32)
    assert spread_sample(points, 4).tolist() == [1, 3]


def test_tile_is_the_middle_of_a_picture() -> None:
    wide = Image.new("RGB", (300, 100), "red")
    wide.paste("blue", (100, 0, 200, 100))
    made = tile(encoded(wide), 32)
    assert made.size == (32, 32)
    assert {made.getpixel(at) for at in ((1, 1), (30, 30), (16, 16))} == {(0, 0, 255)}


def test_tile_of_a_broken_picture_is_grey() -> None:
    assert tile(b"not a picture", 32).getpixel((5, 5)) == (128, 128, 128)


def test_sheets_are_filled_row_by_row() -> None:
    """4 tiles of half a sheet fill one; the fifth begins another, half as high."""
    side = SHEET_SIDE // 2
    colours = ["red", "lime", "blue", "white", "black"]
    first, second = (
        Image.open(io.BytesIO(data)).convert("RGB")
        for data in sheets((Image.new("RGB", (side, side), c) for c in colours), side)
    )
    assert first.size == (SHEET_SIDE, SHEET_SIDE) and second.size == (SHEET_SIDE, side)
    middle, far = side // 2, side + side // 2
    seen = [first.getpixel(at) for at in ((middle, middle), (far, middle), (middle, far), (far, far))]
    wanted = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    assert all(
        max(abs(a - b) for a, b in zip(*pair, strict=True)) < 12 for pair in zip(seen, wanted, strict=True)
    )
    assert max(second.getpixel((middle, middle))) < 12
