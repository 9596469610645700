"""Requests to a server: of bounded size, and repeated while it is busy or away."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

import grpc
import tenacity
from qdrant_client import models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from pipeline.errors import SimileError

__all__ = [
    "THRESHOLD_KB",
    "grpc_port",
    "index_state",
    "patience_seconds",
    "payload_bytes",
    "request_slices",
    "retried",
    "wait_until_indexed",
]

REQUEST_BYTES = 8 * 2**20  # a quarter of the server's default limit
REQUEST_POINTS = 256
_PATIENCE_SECONDS = 120.0
_CONNECT_SECONDS = 8.0  # preflight answers within ten
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 15.0
_PASSING_CODES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


def patience_seconds(at_most: float | None = None) -> float:
    """How long a request is repeated before the store counts as gone: `SIMILE_STORE_PATIENCE`, else 120 s."""
    set_by_user = float(os.environ.get("SIMILE_STORE_PATIENCE") or _PATIENCE_SECONDS)
    return set_by_user if at_most is None else min(set_by_user, at_most)


def grpc_port(url: str, port: str) -> int:
    """`port` as a number, when a server of gRPC accepts connections there.

    Raises:
        SimileError: no number, or nobody answers.
    """
    host = urlsplit(url).hostname or "localhost"
    secure = urlsplit(url).scheme == "https"
    target = f"{host}:{port}"
    channel = (
        grpc.secure_channel(target, grpc.ssl_channel_credentials())
        if secure
        else grpc.insecure_channel(target)
    )
    try:
        if not port.isdigit():
            raise SimileError(f"QDRANT_GRPC_PORT is '{port}'; it must be a number, such as 6334.")
        grpc.channel_ready_future(channel).result(timeout=_CONNECT_SECONDS)
    except grpc.FutureTimeoutError:
        raise SimileError(
            f"Nobody answers gRPC at {target}; set QDRANT_GRPC_PORT to the server's port for it, or unset it."
        ) from None
    finally:
        channel.close()
    return int(port)


def retried(send: Callable[[], Any], patience: float, address: str) -> Any:
    """Call `send`, again after growing, jittered pauses while the server is away, slow, or says 429 or 5xx.

    Every write of Simile names its points, so that a repeated one changes nothing.

    Args:
        send: one request.
        patience: seconds in all; 0: one attempt.
        address: of the server, for the message.

    Raises:
        SimileError: the patience ran out, or the server refuses the request.
    """
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_passes),
        wait=partial(_wait, patience=patience),
        stop=tenacity.stop_after_delay(patience),
        reraise=True,
    )
    try:
        return attempts(send)
    except (
        ResponseHandlingException,
        UnexpectedResponse,
        ResourceExhaustedResponse,
        grpc.RpcError,
    ) as error:
        raise SimileError(_sentence(error, patience, address)) from error


def _wait(attempt: tenacity.RetryCallState, patience: float) -> float:
    """Seconds: growing and jittered, and as long as a server that says 429 asks for, within the patience."""
    error = attempt.outcome.exception() if attempt.outcome else None
    asked = min(error.retry_after_s, patience) if isinstance(error, ResourceExhaustedResponse) else 0.0
    longest = min(_LONGEST_WAIT_SECONDS, patience / 4)
    return asked + tenacity.wait_random_exponential(_FIRST_WAIT_SECONDS, longest)(attempt)


def _sentence(error: Exception, patience: float, address: str) -> str:
    status = 429 if isinstance(error, ResourceExhaustedResponse) else getattr(error, "status_code", None)
    denied = _grpc_code(error) in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
    if status in (401, 403) or denied:
        return (
            f"The Qdrant server at {address} refuses this key{f' ({status})' if status else ''}; "
            "set QDRANT_API_KEY to one that may do what is asked."
        )
    if not _passes(error):
        return f"The Qdrant server at {address} refuses the request: {' '.join(str(error).split())[:300]}"
    said = f"answered {status}" if status else "did not answer"
    return f"The Qdrant server at {address} {said} for {patience:.0f} s; try again when it is back."


def _passes(error: BaseException) -> bool:
    """Whether the failure may go away by itself, so that the request is repeated."""
    if isinstance(error, UnexpectedResponse):
        return error.status_code == 429 or (error.status_code or 0) >= 500
    if isinstance(error, grpc.RpcError):
        return _grpc_code(error) in _PASSING_CODES
    return isinstance(error, ResponseHandlingException | ResourceExhaustedResponse)


def _grpc_code(error: BaseException) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.Call) else None


def payload_bytes(payload: dict[str, Any]) -> int:
    """Size of a payload on the wire, roughly: the strings, of which the thumbnail is all that counts."""
    return sum(
        payload_bytes(value) if isinstance(value, dict) else len(str(value)) + len(key)
        for key, value in payload.items()
    )


def request_slices(sizes: Sequence[int]) -> Iterator[slice]:
    """Cut rows of these sizes in bytes into requests below `REQUEST_BYTES` and `REQUEST_POINTS`.

    >>> [(part.start, part.stop) for part in request_slices([5 * 2**20, 2 * 2**20, 4 * 2**20])]
    [(0, 2), (2, 3)]
    """
    start, total = 0, 0
    for at, size in enumerate(sizes):
        if at > start and (total + size > REQUEST_BYTES or at - start >= REQUEST_POINTS):
            yield slice(start, at)
            start, total = at, 0
        total += size
    if len(sizes) > start:
        yield slice(start, len(sizes))


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
