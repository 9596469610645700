"""`python -m ray_jobs.duplicates` with real Ray tasks finds what it finds in one process."""

import json
from contextlib import nullcontext
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.search import query_embedding
from pipeline.store import id_slices
from ray_jobs.duplicates import main
from tests.duplicates.conftest import COPIED, PixelEncoder, fill


@pytest.mark.long
def test_planted_copies_are_found_by_ray_tasks(
    ray_here: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_embedding, "load_encoder", lambda name: PixelEncoder())
    monkeypatch.setattr(id_slices, "_POINTS", 6)
    monkeypatch.setattr("ray_jobs.duplicates.ray_session", nullcontext)
    query_embedding._encoders.clear()
    home = tmp_path / "home"
    fill(home)
    main(["paintings", "--home", str(home), "--mirrored", "--keep=-year"])
    told = json.loads(capsys.readouterr().out)
    assert (told["points"], told["groups"], told["copies"]) == (17, 6, 6)
    rows = pq.read_table(home / "duplicates" / "paintings" / "duplicates.parquet").to_pylist()
    kept = {row["path"].partition("-")[0] for row in rows if row["keep"]}
    assert kept == {"original", "a/original", "mirrored"}, "the longest name has the latest year"
    assert {row["kind"] for row in rows} == {"re-encoded", "edited", "mirrored", "exact"}
    others = {row["path"].partition("-")[0] for row in rows if not row["keep"]}
    assert others == {*COPIED, "b/original", "original"} - {"mirrored"}
    query_embedding._encoders.clear()
