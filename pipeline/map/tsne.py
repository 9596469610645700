"""Prepared vectors -> places on a plane: PCA, then t-SNE by openTSNE.

van der Maaten & Hinton, "Visualizing Data using t-SNE" (JMLR 2008); Linderman et al., "Fast
interpolation-based t-SNE" (Nature Methods 2019); Kobak & Berens, "The art of using t-SNE" (Nature
Communications 2019) for the start from principal components and the learning rate N / 12.

Why openTSNE: wheels for Linux, macOS and Windows, the same places for the same vectors on several cores, and
no compiling at run time: umap-learn and PaCMAP are built on numba, which spends seconds before the first
point, and UMAP is reproducible on one core only. t-SNE also fills the plane evenly, which leaves room for
thumbnails.
"""

from collections.abc import Callable

import numpy as np

from pipeline.vectors import unit

__all__ = ["iterations", "lay_out", "place"]

COMPONENTS = 50  # principal components that are kept; more take time and do not change the map
PERPLEXITY = 30  # neighbours that count; openTSNE looks at three times as many
EXAGGERATION = 12
BARNES_HUT_BELOW = 3_000  # points; above, interpolation is faster
_REPORT_EVERY = 50  # iterations
_SMALLEST_SPREAD = 1e-4  # of the first component at the start, as Kobak & Berens
_CLOSE = 1e-3  # cosine distance below which two pictures count as equal


def iterations(points: int) -> tuple[int, int]:
    """Number with and without exaggeration: openTSNE's defaults, and fewer for small maps."""
    return 250, 250 if points < BARNES_HUT_BELOW else 500


def lay_out(vectors: np.ndarray, seed: int = 0, advance: Callable[[int], object] | None = None) -> np.ndarray:
    """(N, D) float -> (N, 2) float32 in −1 to 1, centred; neighbours by cosine lie near each other.

    Args:
        vectors: any length; equal ones get nearly equal places.
        seed: of the small random offsets that the layout starts with.
        advance: called with the number of `iterations` done since its last call.
    """
    components = _principal_components(vectors)
    if len(components) < 4 or not components.any():  # too few points for t-SNE, or all are equal
        return _to_square(_two_columns(components))
    from openTSNE import TSNEEmbedding, initialization

    start = initialization.rescale(_two_columns(components).astype(np.float64), _SMALLEST_SPREAD)
    start = initialization.jitter(start, scale=_SMALLEST_SPREAD / 100, random_state=seed)
    small = len(components) < BARNES_HUT_BELOW
    jobs = 1 if small else -1  # on small maps, threads wait for each other longer than they compute
    embedding = TSNEEmbedding(
        start,
        _affinities(components, jobs),
        negative_gradient_method="bh" if small else "fft",
        n_jobs=jobs,
        random_state=seed,
        callbacks=_teller(advance),
        callbacks_every_iters=_REPORT_EVERY,
    )
    early, late = iterations(len(components))
    embedding = embedding.optimize(early, exaggeration=EXAGGERATION, momentum=0.5)
    embedding = embedding.optimize(late, momentum=0.8)
    return _to_square(np.asarray(embedding))


def place(positions: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Place of a query among its nearest hits: (k, 2) places and (k,) cosines -> (2,) float32.

    The mean of the places, each weighted by one over its cosine distance (Shepard 1968): a query equal to a
    hit is placed on it, and hits that are equally near have equal weight.

    >>> place(np.array([[0, 0], [1, 1]]), np.array([0.5, 0.5])).tolist()
    [0.5, 0.5]
    """
    weights = 1 / np.maximum(1 - np.asarray(scores, np.float64), _CLOSE)
    return np.asarray(weights @ positions / weights.sum(), np.float32)


def _principal_components(vectors: np.ndarray) -> np.ndarray:
    """(N, ≤ 50) float32: of the vectors at unit length, largest first."""
    vectors = unit(vectors)
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh((centred.T @ centred / len(centred)).astype(np.float64))
    kept = directions[:, ::-1][:, :COMPONENTS]
    # The solver leaves the sign of a component open; here its largest entry is positive.
    kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    return np.ascontiguousarray(centred @ kept, np.float32)


def _two_columns(components: np.ndarray) -> np.ndarray:
    return np.pad(components[:, :2], ((0, 0), (0, max(0, 2 - components.shape[1]))))


def _affinities(components: np.ndarray, jobs: int) -> object:
    """Over exact neighbours: 12 s for 50,000 points, and the same ones every time."""
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors
    from sklearn.neighbors import NearestNeighbors

    perplexity = min(PERPLEXITY, (len(components) - 1) / 3)
    found = NearestNeighbors(n_neighbors=int(3 * perplexity), algorithm="brute", n_jobs=jobs).fit(components)
    distances, neighbours = found.kneighbors()  # without arguments: a point is not its own neighbour
    index = PrecomputedNeighbors(neighbours.astype(np.int64), distances.astype(np.float64))
    return PerplexityBasedNN(perplexity=perplexity, n_jobs=jobs, knn_index=index)


def _teller(advance: Callable[[int], object] | None) -> Callable[[int, float, object], None] | None:
    """`advance` as a callback of openTSNE."""
    if advance is None:
        return None

    def tell(iteration: int, error: float, embedding: object) -> None:
        advance(_REPORT_EVERY)  # returns None: anything true would stop the optimisation

    return tell


def _to_square(positions: np.ndarray) -> np.ndarray:
    """Centred, with the longer side from −1 to 1; the shape is kept."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    half = max(float((high - low).max()) / 2, 1e-12)
    return np.asarray((positions - (low + high) / 2) / half, np.float32)
