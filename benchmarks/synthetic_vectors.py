"""Prepared vectors drawn at random: as many as wanted, and the same ones for the same numbers."""

from functools import cache

import numpy as np

__all__ = ["FIELDS", "payloads", "prepared_vectors"]

_PER_CLUSTER = 50  # points that share a centre, as pictures of one kind do
_SPREAD = 0.6  # of a point around its centre, in multiples of the centres' own spread
_DECAY = 0.35  # component i has deviation (i + 1) ** -_DECAY, about what half-whitened CNN outputs have
FIELDS = {"style": 5, "genre": 5}  # values of each, drawn evenly and independently: two ANDed leave 4 %


def prepared_vectors(start: int, stop: int, points: int, dimension: int) -> np.ndarray:
    """(stop − start, D) float32: rows `start` to `stop` of a set of `points` in clusters of 50.

    They are rotated as ITQ rotates prepared vectors, so that every component varies about as much as any
    other. Without that, binary codes would spend most of their bits on components that hardly vary.
    """
    deviations = np.arange(1, dimension + 1) ** -_DECAY
    clusters = max(1, points // _PER_CLUSTER)
    rng = np.random.default_rng([start, points])
    owners = rng.integers(0, clusters, stop - start)
    centres = np.stack([np.random.default_rng([7, int(c)]).normal(size=dimension) for c in np.unique(owners)])
    places = np.searchsorted(np.unique(owners), owners)
    noise = rng.normal(size=(stop - start, dimension))
    components = ((centres[places] + _SPREAD * noise) * deviations).astype(np.float32)
    return components @ _rotation(dimension)


@cache
def _rotation(dimension: int) -> np.ndarray:
    """(D, D) float32, orthogonal."""
    turned, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(dimension, dimension)))
    return turned.astype(np.float32)


def payloads(start: int, stop: int) -> list[dict[str, str]]:
    """`style` and `genre` of rows `start` to `stop`."""
    rng = np.random.default_rng([11, start])
    drawn = {name: rng.integers(0, values, stop - start) for name, values in FIELDS.items()}
    return [{name: f"{name} {drawn[name][i]}" for name in FIELDS} for i in range(stop - start)]
