"""benchmarks.crowd: its bombs are bombs, it names a broken promise, and honest visitors do everything."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks import crowd
from benchmarks.crowd import Phase, broken_promises
from benchmarks.crowd_hostile import bomb_gif, bomb_png, bomb_webp
from benchmarks.crowd_visitors import ACTS, Done, Visitor

QUIET = Phase(
    honest=61,
    hostile=0,
    acts={"upload": 100},
    searches=100,
    errors=0,
    first_errors=[],
    p50_ms=200.0,
    p95_ms=400.0,
    peak_gb=1.2,
    disk_start=230_000_000,
    disk_end=240_000_000,
    tracebacks=0,
    uploaded=5_000_000,
    answers={},
)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("made", "kind", "side", "most"),
    [(bomb_webp, "WEBP", 16_000, 34), (bomb_png, "PNG", 16_000, 100_000), (bomb_gif, "GIF", 65_000, 100)],
)
def test_bombs_are_small_and_name_many_pixels(
    made: Callable[[], bytes], kind: str, side: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    bomb = made()
    picture = Image.open(io.BytesIO(bomb))
    assert picture.format == kind and picture.width == side and len(bomb) <= most


def test_promises_that_hold_are_not_named() -> None:
    assert broken_promises(QUIET, replace(QUIET, hostile=3, p95_ms=1200.0, peak_gb=2.49)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tracebacks": 1}, "1 tracebacks with hostile visitors"),
        ({"errors": 2}, "2 errors for honest visitors with hostile ones"),
        ({"p95_ms": 1201.0}, "1201 ms"),
        ({"p95_ms": None}, "no honest search"),
        ({"peak_gb": 2.5}, "2.5 GB"),
        ({"disk_end": 230_000_000 + 110_000_001}, "the disk grew by 110 MB"),
    ],
)
def test_a_broken_promise_is_named(change: dict[str, Any], said: str) -> None:
    (broken,) = broken_promises(QUIET, replace(QUIET, **change))
    assert said in broken


def test_every_act_can_be_done_and_some_are_searches() -> None:
    assert all(callable(getattr(Visitor, f"_{name}")) for name in ACTS)
    assert {name for name in ACTS if Done(name, 1.0).is_search} > {"upload", "page", "box", "likes"}


@pytest.mark.long
def test_a_small_crowd_does_everything(
    demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its figures are written whatever they are; how a page fares is judged by the benchmark, not here."""
    monkeypatch.setattr("benchmarks.report.RESULTS", tmp_path)
    monkeypatch.setattr(Visitor, "visit", lambda visitor, until, pause: visitor.do_all())
    times = ["--sessions", "3", "--seconds", "8", "--quiet-seconds", "1"]
    status = crowd.main([*times, "--home", str(demo_home)])
    told = json.loads((tmp_path / "crowd.json").read_text("utf-8"))
    assert status == bool(told["broken"])
    for phase in ("quiet", "with_hostile"):
        assert told[phase]["errors"] == 0, told[phase]["first_errors"]
        assert told[phase]["acts"] == dict.fromkeys(sorted(ACTS), 2)
    assert told["with_hostile"]["answers"]["addresses, 403"] > 0 and told["machine"]["commit"]
