"""The benchmark of real photographs: what it makes of small pictures, and its short form."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import limit_of_the_machine, photographs
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
    assert len(data) > 200 * 150 / 8  # without grain it would have a hundredth of a byte a pixel


def test_the_limit_is_made_of_the_fastest_library_for_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: 4 + 1 + 0.5 + 4.5 = 10 ms of a core, on two cores."""
    spent = {"decode: a": 4.0, "decode: b": 5.0, "resize: a": 2.0, "resize: b": 1.0, "saved": 0.5}
    spent |= {"network": 4.5, "groups": 400.0, "own decode": 6.0, "read": 5.0}
    monkeypatch.setattr(photographs, "steps", lambda *_: {})
    monkeypatch.setattr(limit_of_the_machine, "milliseconds", lambda *_: spent)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    encoder: Any = type("Encoder", (), {"runtime": "torch"})
    files = [small_picture().ljust(length, b"\0") for length in (2000, 4000)]
    found = photographs.measure(KINDS[0], files, encoder, 1.0)
    assert (found["limit"], found["network_alone"], found["kilobytes"]) == (200, 444.4, 3)
    assert found["limit_with_reading"] == 160  # 5 ms for both pictures
    assert found["in_one_process"] == 160  # 32 pictures a group
    assert found["own_ms"] == {"decode": 6.0, "network": 4.5}


def test_the_short_form_measures_every_step_and_leaves_the_figures_alone(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = Path(photographs.__file__).parent / "results" / "photographs.json"
    before = figures.read_bytes()
    monkeypatch.setattr(limit_of_the_machine, "ROUNDS", 1)
    photographs.main(["--short"])
    assert figures.read_bytes() == before
    printed = capsys.readouterr().out
    for row in ("network alone", "limit: decode, resize", "in one process", "thumbnail", "preprocess"):
        assert row in printed
