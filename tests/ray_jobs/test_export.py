"""`python -m ray_jobs.export`: what Ray tasks write, and what is refused before they start."""

import json
from contextlib import nullcontext
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.errors import SimileError
from pipeline.search import open_collection
from pipeline.store import Store, id_slices, open_store
from pipeline.store.id_slices import IdSlice
from ray_jobs.export import main
from ray_jobs.over_slices import over_slices
from tests.search.conftest import N, fill

SAMPLES = Path(__file__).parents[2] / "samples" / "wikiart" / "data"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("home"))
    fill(open_store(home=folder), calibrated=False)
    return folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output", "here"], "give an absolute folder or a URL"),
        (["--output", "/tmp/x", "--format", "npy", "--thumbnails"], "--thumbnails needs --format parquet"),
        (["--output", "/tmp/x", "--encoder", "vgg"], "not indexed with 'vgg'"),
        (["--output", str(SAMPLES)], "holds 1 files already"),
        (["--output", "/tmp/x", "--filter", "colour=red"], "no filter field 'colour'"),
    ],
)
def test_mistakes_are_told_before_ray_starts(
    home: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["greys", "--home", home, *arguments])
    assert said in capsys.readouterr().err


@pytest.mark.long
def test_slices_together_are_the_collection(
    ray_here: None,
    home: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(id_slices, "_POINTS", 4)
    monkeypatch.setattr("ray_jobs.export.ray_session", nullcontext)
    main(["greys", "--home", home, "--output", str(tmp_path / "parquet")])
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["files"]) == (N, 3)
    assert pq.read_table(tmp_path / "parquet").equals(open_collection("greys", home).to_arrow())
    odd = ["--format", "npy", "--filter", "style=odd"]
    main(["greys", "--home", home, "--output", str(tmp_path / "npy"), *odd])
    assert json.loads(capsys.readouterr().out)["rows"] == N // 2
    assert len(list((tmp_path / "npy").glob("v-*.npy"))) == 3
    with pytest.raises(SimileError, match="this slice ends at 55555555"):
        list(over_slices(_refuse, open_store(home), id_slices.id_slices(3)[:1]))


def _refuse(store: Store, within: IdSlice) -> None:
    raise SimileError(f"{store.aliases()} are there, and this slice ends at {within.end}")
