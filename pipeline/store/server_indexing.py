"""Waiting for a server to build its graphs."""

import logging
import time
from collections.abc import Callable
from typing import Any, Literal

from qdrant_client import models

from pipeline.errors import SimileError

__all__ = ["THRESHOLD_KB", "index_state", "wait_until_indexed"]

log = logging.getLogger("simile")

THRESHOLD_KB = 10_000  # of vectors, above which the server builds a graph for a segment: Qdrant's own default
_PAUSE_SECONDS = 1.0
_GREEN_LOOKS = 2  # in a row, where counts do not say whether the optimizers have begun


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
    kilobytes = info.points_count * max(map(_bytes, vectors.values())) / 1024
    if kilobytes <= THRESHOLD_KB:
        return "needless"
    if info.indexed_vectors_count >= info.points_count * len(vectors):
        return "built"
    walked = [of for of in vectors.values() if not of.hnsw_config or of.hnsw_config.m != 0]
    scanned = [of.hnsw_config.full_scan_threshold or 0 for of in walked if of.hnsw_config]
    kilobytes = info.points_count * max(map(_bytes, walked), default=0) / 1024
    expected = kilobytes / max(1, info.segments_count) > max(THRESHOLD_KB, *scanned, 0)
    return "missing" if expected and not info.indexed_vectors_count else "unknown"


def _bytes(params: models.VectorParams) -> int:
    """Of one vector."""
    return params.size * (2 if params.datatype == models.Datatype.FLOAT16 else 4)


def wait_until_indexed(
    look: Callable[[], models.CollectionInfo],
    start: Callable[[], Any],
    patience: float,
    address: str,
    pause: float = _PAUSE_SECONDS,
) -> None:
    """Start the optimizers and wait until they are done.

    Args:
        look: asks for the collection's status and counts.
        start: sends the update that makes the optimizers look at the collection.
        patience: seconds that a GREEN collection may be without the graph that it needs; it is slow without
            one, but not wrong, so then the log says so and the wait ends. While the server works there is no
            limit.
        address: of the server, for the message.
        pause: seconds between looks.

    Raises:
        SimileError: the optimizers failed.
    """
    start()
    looks, since = 0, time.monotonic()
    while True:
        info = look()
        if info.status == models.CollectionStatus.RED:
            why = getattr(info.optimizer_status, "error", None) or "see its log"
            raise SimileError(f"The Qdrant server at {address} could not build the index: {why}.")
        if info.status == models.CollectionStatus.GREY:  # paused until the next update
            start()
        if info.status != models.CollectionStatus.GREEN:
            looks, since = 0, time.monotonic()
        else:
            looks, state = looks + 1, index_state(info)
            if state in ("needless", "built") or (state == "unknown" and looks >= _GREEN_LOOKS):
                return
            if time.monotonic() - since >= patience:
                log.warning(
                    "The Qdrant server at %s has built no index; searches compare everything.", address
                )
                return
        time.sleep(pause)
