"""The sample that a projection is fitted on: the vectors with the smallest ids of all that are staged."""

import uuid
from pathlib import Path

import numpy as np
import pytest

from pipeline.staging.ids import id_texts
from pipeline.staging.vectors import SAMPLED, Staging


@pytest.mark.parametrize("size", [1, 7, 50, 400, 10_000])
def test_of_many_units_it_has_the_smallest_ids_each_once(tmp_path: Path, size: int) -> None:
    random = np.random.default_rng(0)
    every = [str(uuid.UUID(bytes=random.bytes(16))) for _ in range(600)]
    vector_of = {point: random.normal(size=3).astype(np.float16) for point in every}
    staging = Staging(str(tmp_path), "things", "f")
    for unit in range(20):  # units share pictures, some have more rows than are read at first, one has none
        rows = 0 if unit == 3 else int(random.integers(1, 2 * SAMPLED))
        ids = [str(point) for point in random.choice(every, rows, replace=False)]
        staging.write(f"u{unit}", ids, np.array([vector_of[point] for point in ids]).reshape(rows, 3), [])
    staged = {point for unit in staging.names() for point in id_texts(staging.read(unit).words)}
    smallest = sorted(staged)[:size]
    expected = np.array([vector_of[point] for point in smallest], np.float32)
    np.testing.assert_array_equal(staging.sample(size), expected)
