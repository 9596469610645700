"""A map without some points: their places, labels and thumbnails."""

import io

import numpy as np
from PIL import Image

from pipeline.map.hidden_points import cover_tiles, without_points
from pipeline.map.map_file import Map, MapField

IDS = [f"{n:08x}-0000-5000-8000-000000000000" for n in range(5)]


def made() -> Map:
    return Map(
        IDS,
        np.arange(10, dtype=np.float32).reshape(5, 2) / 10,
        {"style": MapField(["a", "b"], np.array([0, 1, 0, 1, 0], np.uint16))},
        np.array([0, 1, 2, 3, -1], np.int32),
        np.array([0, 2, 4], np.int32),
        {"side": 4, "columns": 1, "sheets": 5},
    )


def test_points_leave_and_the_sample_keeps_its_order() -> None:
    whole = made()
    left, covered = without_points(whole, {IDS[2], IDS[3]})
    assert left.ids == [IDS[0], IDS[1], IDS[4]] and left.tiles.tolist() == [0, 1, -1]
    assert left.labels["style"].values.tolist() == [0, 1, 0]
    assert covered == {3: [0], 4: [0], 0: [1]}  # a sheet has one tile; point 2 is the second of the sample
    assert left.sample.tolist() == [0, 2, 2]  # the next point takes its place
    assert without_points(whole, {"other"})[0] is whole
    nothing, _ = without_points(whole, set(IDS))
    assert nothing.ids == [] and len(nothing.sample) == 0


def test_a_thumbnail_is_covered_and_its_neighbours_are_not() -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 16), (255, 0, 0)).save(file, "WEBP", lossless=True)
    with Image.open(io.BytesIO(cover_tiles(file.getvalue(), [1], 16))) as sheet:
        red, grey = (sheet.convert("RGB").getpixel((x, 8)) for x in (4, 24))
    assert red[0] > 230 and red[1] < 40 and max(grey) - min(grey) < 12  # type: ignore[index]
