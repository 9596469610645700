"""The fit stage: what it does with vectors that cannot be fitted, and that it says why."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pipeline.config import ProjectionConfig
from pipeline.errors import SimileError
from pipeline.indexing.fit import fit

SPREAD = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


@dataclass
class Staged:
    """Stands for the staging of one encoder."""

    vectors: np.ndarray

    def sample(self, size: int, units: list[str]) -> np.ndarray:
        return self.vectors[:size]


def fitted(vectors: np.ndarray, dimension: int = 4, **settings: Any) -> Any:
    return fit(Staged(vectors), [], ProjectionConfig(dimension=dimension, **settings))  # type: ignore[arg-type]


def test_as_many_components_as_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert fitted(SPREAD).dimension == 4
    assert capsys.readouterr().err == ""


def test_nothing_staged_is_one_sentence() -> None:
    with pytest.raises(SimileError, match="No image could be embedded, so there is nothing to index"):
        fitted(SPREAD[:0])


def test_vectors_with_nan_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    spoilt = SPREAD.copy()
    spoilt[[3, 5], 0] = np.nan, np.inf
    projection = fitted(spoilt)
    assert "2 sampled vectors with NaN or infinity are left out" in capsys.readouterr().err
    clean = fitted(np.delete(SPREAD, [3, 5], axis=0))
    np.testing.assert_array_equal(projection.matrix, clean.matrix)


def test_vectors_that_are_all_the_same_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert fitted(np.ones((5, 6), np.float32)).dimension == 6
    assert "nothing varies; raw vectors are used as they are" in capsys.readouterr().err


def test_fewer_rows_than_dimensions(capsys: pytest.CaptureFixture[str]) -> None:
    assert fitted(SPREAD[:3]).dimension == 2
    assert "2 of 4 components are kept; 3 vectors vary along 2 at most" in capsys.readouterr().err


def test_constant_components(capsys: pytest.CaptureFixture[str]) -> None:
    flat = SPREAD.copy()
    flat[:, 3:] = 1
    assert fitted(flat).dimension == 3
    assert "3 of 4 components are kept; the others do not vary" in capsys.readouterr().err


def test_outputs_of_a_hash_head_are_not_fitted() -> None:
    projection = fit(Staged(SPREAD), set(), ProjectionConfig(dimension=4), hash_bits=2)  # type: ignore[arg-type]
    assert projection.hash_bits == 2
    vectors, codes = projection.split(SPREAD)
    assert vectors.shape == (40, 4)
    np.testing.assert_array_equal(codes, np.where(SPREAD[:, 4:] > 0, 1, -1))
