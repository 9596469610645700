"""The check's truth comes from the staged parts, where they hold every point."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.indexing.build import _staged
from pipeline.indexing.load import Target, staged_rows
from pipeline.projection import Projection
from pipeline.staging.parts import StagedPicture, Staging

IDS = ["a", "b", "c"]
RAW = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float16)


@pytest.fixture
def target(tmp_path: Path) -> Target:
    staging = Staging(str(tmp_path), "things", "f")
    for name, rows in (("one", [0, 1]), ("two", [1, 2])):  # b was staged twice
        pictures = [StagedPicture(IDS[row], b"", "image/webp", 1, 1) for row in rows]
        staging.write(name, pictures, RAW[rows])
    identity = {"v.matrix": np.eye(8, dtype=np.float32), "v.offset": np.zeros(8, np.float32)}
    return Target(staging, "v", "v_code", Projection.from_tensors(identity, "v", 0))


def test_each_point_comes_once_as_the_store_has_it(target: Target) -> None:
    found = [
        (point, row)
        for ids, rows in staged_rows(target, {"a", "b", "c"}, "v")
        for point, row in zip(ids, rows, strict=True)
    ]
    assert sorted(point for point, _ in found) == IDS
    for point, row in found:
        raw = RAW[IDS.index(point)].astype(np.float32)
        assert row == pytest.approx(raw / np.linalg.norm(raw), abs=1e-6)
    (codes,) = [rows for _, rows in staged_rows(target, {"c"}, "v_code")]
    assert set(np.unique(codes)) <= {-1.0, 1.0}


def test_points_of_another_home_leave_the_truth_to_the_store(target: Target) -> None:
    assert _staged(target, {"a", "c"}) is not None
    assert _staged(target, {"a", "d"}) is None
