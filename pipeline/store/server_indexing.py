"""Graphs on a server: how many segments share a version, and waiting until they are built."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Literal

from qdrant_client import models
from tqdm import tqdm

from pipeline.errors import SimileError
from pipeline.progress import progress

__all__ = [
    "SEGMENTS",
    "THRESHOLD_KB",
    "by_segment",
    "graph_changes",
    "index_state",
    "threshold_kb",
    "wait_until_indexed",
    "walked",
    "with_graph",
]

log = logging.getLogger("simile")

SEGMENTS = 2  # of each shard: a search takes both at once, and each graph is as large as it can be
THRESHOLD_KB = 10_000  # of vectors, above which the server builds a graph for a segment: Qdrant's own default
_LEAST_SCAN_KB = 10  # below which Qdrant takes no `full_scan_threshold`
_PAUSE_SECONDS = 1.0
_GREEN_LOOKS = 2  # in a row, where counts do not say whether the optimizers have begun


def by_segment(vectors: Mapping[str, models.VectorParams], shards: int) -> dict[str, models.VectorParams]:
    """The same vectors, with `full_scan_threshold` of one segment instead of the whole version.

    The server compares it with each segment by itself: in twelve segments of 8 MB no graph would be walked
    with a threshold of 50 MB, although they are 100 MB together.

    Args:
        vectors: as `vector_params` makes them.
        shards: of the version.
    """
    shared = {}
    for name, params in vectors.items():
        scanned = params.hnsw_config.full_scan_threshold if params.hnsw_config else None
        share = scanned and max(_LEAST_SCAN_KB, scanned // (shards * SEGMENTS))
        shared[name] = with_graph(params, models.HnswConfigDiff(full_scan_threshold=share))
    return shared


def with_graph(params: models.VectorParams, change: models.HnswConfigDiff) -> models.VectorParams:
    """The same vector, with what `change` says of its graph."""
    graph = params.hnsw_config or models.HnswConfigDiff()
    changed = graph.model_copy(update=change.model_dump(exclude_none=True))
    return params.model_copy(update={"hnsw_config": changed})


def walked(params: models.VectorParams) -> bool:
    """Whether the vector has a graph."""
    return params.hnsw_config is None or params.hnsw_config.m != 0


def graph_changes(vectors: Mapping[str, models.VectorParams]) -> dict[str, models.VectorParamsDiff]:
    """What an update of a collection says of the graphs of these vectors."""
    return {name: models.VectorParamsDiff(hnsw_config=params.hnsw_config) for name, params in vectors.items()}


def threshold_kb(vectors: Mapping[str, models.VectorParams]) -> int:
    """Kilobytes of a segment's vectors above which the server shall build: what is not to be scanned."""
    graphs = [params.hnsw_config for params in vectors.values()]
    scanned = [graph.full_scan_threshold for graph in graphs if graph and graph.full_scan_threshold]
    return min([THRESHOLD_KB, *scanned])


def index_state(info: models.CollectionInfo) -> Literal["needless", "built", "missing", "unknown"]:
    """What the counts of a collection say of its graphs.

    Returns:
        needless: all vectors together are below the threshold, so no segment can be above it. built: every
        vector is in a graph. missing: some segment must be above the threshold, as the mean is, and no vector
        is in a graph. unknown: anything else, such as a last small segment that is scanned, vectors too few
        for a graph (m = 0), or no counts.
    """
    vectors = info.config.params.vectors
    if info.points_count is None or info.indexed_vectors_count is None or not isinstance(vectors, dict):
        return "unknown"
    threshold = threshold_kb(vectors)
    kilobytes = info.points_count * max(map(_bytes, vectors.values())) / 1024
    if kilobytes <= threshold:
        return "needless"
    if info.indexed_vectors_count >= info.points_count * len(vectors):
        return "built"
    graphs = [params for params in vectors.values() if walked(params)]
    scanned = [of.hnsw_config.full_scan_threshold or 0 for of in graphs if of.hnsw_config]
    kilobytes = info.points_count * max(map(_bytes, graphs), default=0) / 1024
    expected = kilobytes / max(1, info.segments_count) > max(threshold, *scanned, 0)
    return "missing" if expected and not info.indexed_vectors_count else "unknown"


def _bytes(params: models.VectorParams) -> int:
    """Of one vector."""
    return params.size * (2 if params.datatype == models.Datatype.FLOAT16 else 4)


def wait_until_indexed(
    look: Callable[[], models.CollectionInfo],
    start: Callable[[], Any],
    optimizations: Callable[[], models.OptimizationsResponse],
    patience: float,
    address: str,
    pause: float = _PAUSE_SECONDS,
) -> None:
    """Start the optimizers and wait until they are done, with a bar of the points that are left.

    Args:
        look: asks for the collection's status and counts.
        start: sends the update that makes the optimizers look at the collection.
        optimizations: asks what runs and what is queued.
        patience: seconds that a collection may be without the graph that it needs while no optimization
            runs, because the server has no thread for it or does not begin. It is slow without the graph, but
            not wrong, so then the log says so and the wait ends. While the server works there is no limit.
        address: of the server, for the message.
        pause: seconds between looks.

    Raises:
        SimileError: the optimizers failed.
    """
    start()
    looks, since = 0, time.monotonic()
    with ExitStack() as closing:
        shown = _Left(closing)
        while True:
            info = look()
            if info.status == models.CollectionStatus.RED:
                why = getattr(info.optimizer_status, "error", None) or "see its log"
                raise SimileError(f"The Qdrant server at {address} could not build the index: {why}.")
            if info.status == models.CollectionStatus.GREY:  # paused until the next update
                start()
            if info.status != models.CollectionStatus.GREEN:
                looks = 0
                if shown.moves(optimizations()):
                    since = time.monotonic()
                    time.sleep(pause)
                    continue
            else:
                looks, state = looks + 1, index_state(info)
                if state in ("needless", "built") or (state == "unknown" and looks >= _GREEN_LOOKS):
                    shown.done()
                    return
            if time.monotonic() - since >= patience:
                _say_unbuilt(address, patience, shown.left)
                return
            time.sleep(pause)


def _say_unbuilt(address: str, patience: float, left: int) -> None:
    log.warning(
        "The Qdrant server at %s has run no optimization for %.0f s%s, so it has not built the whole index; "
        "max_optimization_threads may be 0. The version can be searched, but slower, because what has no "
        "index is compared point by point.",
        address,
        patience,
        f" with {left:,} points left" if left else "",
    )


class _Left:
    """The points that optimizations have left, as a bar that appears with the first of them."""

    def __init__(self, closing: ExitStack) -> None:
        self._closing = closing
        self._bar: tqdm | None = None
        self.left = 0

    def moves(self, told: models.OptimizationsResponse) -> bool:
        """Take over what the server tells; whether it works."""
        running = sum(segment.points_count for each in told.running for segment in each.segments)
        left, before = told.summary.queued_points + running, self.left
        self.left = left
        if left and self._bar is None:
            self._bar = self._closing.enter_context(progress("index", left, "point"))
        if self._bar is not None:
            self._bar.total = max(left, self._bar.total)
            self._bar.update(self._bar.total - left - self._bar.n)
        return bool(told.running) or left < before

    def done(self) -> None:
        """Nothing is left."""
        if self._bar is not None:
            self._bar.update(self._bar.total - self._bar.n)
