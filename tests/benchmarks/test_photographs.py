"""The benchmark of real photographs: what it makes of small pictures, and its short form."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import photographs
from benchmarks.made_photographs import KINDS, Kind, made


def small_picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (224, 224), (90, 120, 60)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_a_flat_picture_becomes_one_of_the_size_and_grain_of_a_photograph(format_name: str) -> None:
    options: dict[str, Any] = next(kind.options for kind in KINDS if kind.format == format_name)
    (data,) = made(Kind("small", (200, 150), format_name, options), [small_picture()])
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == (format_name, (200, 150))
    assert 3 < np.asarray(image.convert("L"), float).std() < 9
    assert len(data) > 200 * 150 / 8  # a JPEG without grain has a hundredth of a byte a pixel


def test_the_short_form_measures_every_step_and_leaves_the_figures_alone(capsys: Any) -> None:
    figures = Path(photographs.__file__).parent / "results" / "photographs.json"
    before = figures.read_bytes()
    photographs.main(["--short"])
    assert figures.read_bytes() == before
    printed = capsys.readouterr().out
    for row in ("network alone", "limit: decode, resize", "in one process", "thumbnail", "preprocess"):
        assert row in printed
    of_before = json.loads(before)["kinds"][0]
    steps = of_before["limit_ms"]
    least = sum(next(iter(each.values())) if isinstance(each, dict) else each for each in steps.values())
    assert of_before["limit"] == pytest.approx(
        1000 * json.loads(before)["machine"]["cores"] / least, rel=0.02
    )
