"""Places on the plane: neighbours stay neighbours, and the same vectors get the same places."""

import numpy as np
import pytest

from pipeline.map.tsne import iterations, lay_out, place


@pytest.fixture(scope="module")
def groups() -> tuple[np.ndarray, np.ndarray]:
    """Three groups of 40 around directions of their own in 16 dimensions, with their numbers."""
    rng = np.random.default_rng(0)
    centres = np.eye(16)[:3] * 4
    number = np.arange(120) % 3
    return (centres[number] + rng.normal(size=(120, 16)) * 0.5).astype(np.float32), number


@pytest.fixture(scope="module")
def places(groups: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return lay_out(groups[0])


def test_groups_stay_together(groups: tuple[np.ndarray, np.ndarray], places: np.ndarray) -> None:
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert (groups[1][apart.argmin(1)] == groups[1]).mean() > 0.98


def test_places_fill_the_square(places: np.ndarray) -> None:
    assert places.shape == (120, 2) and places.dtype == np.float32
    assert np.abs(places).max() == pytest.approx(1)
    assert np.allclose(places.min(0), -places.max(0), atol=1e-5)


def test_same_directions_same_places(groups: tuple[np.ndarray, np.ndarray], places: np.ndarray) -> None:
    """Nothing is left to chance, and cosine looks at directions only; doubling is exact in binary."""
    assert np.array_equal(lay_out(groups[0] * 2), places)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_points_have_a_map_too(count: int) -> None:
    found = lay_out(np.eye(8, dtype=np.float32)[:count])
    assert found.shape == (count, 2) and np.isfinite(found).all() and np.abs(found).max() <= 1 + 1e-6


def test_equal_points_have_a_map_too() -> None:
    found = lay_out(np.ones((10, 4), np.float32))
    assert found.shape == (10, 2) and np.isfinite(found).all()


def test_every_iteration_is_told() -> None:
    told: list[int] = []
    lay_out(np.random.default_rng(0).normal(size=(20, 4)), advance=told.append)
    assert sum(told) == sum(iterations(20))


def test_query_lies_between_equally_near_hits() -> None:
    assert place(np.array([[0.0, 0], [1, 1]]), np.array([0.5, 0.5])).tolist() == [0.5, 0.5]


def test_query_leans_to_the_nearer_hit() -> None:
    """Distances 0.1 and 0.3: weights 10 and 3⅓, three to one."""
    assert np.allclose(place(np.array([[0.0, 0], [1, 0]]), np.array([0.9, 0.7])), [0.25, 0])


def test_query_lies_on_the_picture_that_it_equals() -> None:
    assert np.allclose(place(np.array([[0.4, 0.2], [1, 1]]), np.array([1.0, 0.2])), [0.4, 0.2], atol=2e-3)
