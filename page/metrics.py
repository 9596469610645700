"""Figures of the running page for Prometheus: GET /metrics, for this machine or with a key.

The figures are those of the process, so they are module variables, as prometheus_client has it. None of them
holds anything of a visitor: no address, no picture, no value that a visitor can choose.
"""

import hmac
import ipaddress
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.process_collector import ProcessCollector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.errors import SimileError

__all__ = [
    "ERRORS",
    "REFUSALS",
    "REQUESTS",
    "SEARCHES",
    "count_logged_errors",
    "is_from_this_machine",
    "metrics_route",
    "read_key",
]

_REGISTRY = CollectorRegistry()
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # bounds of the histogram
SEARCHES = Histogram(
    "simile_search_seconds",
    "Seconds that searches took, without their wait in the queue",
    ["endpoint"],
    registry=_REGISTRY,
    buckets=_SECONDS,
)
REFUSALS = Counter("simile_refusals", "What was refused, by reason", ["reason"], registry=_REGISTRY)
REQUESTS = Counter("simile_requests", "Requests answered", ["method", "route", "status"], registry=_REGISTRY)
ERRORS = Counter("simile_errors", "Lines of level ERROR in the log", registry=_REGISTRY)
_UPLOADS = Gauge("simile_upload_bytes", "Bytes of uploaded and cached pictures on disk", registry=_REGISTRY)
_UPLOADS.set_function(lambda: _bytes_below(Path(get_upload_folder())))
ProcessCollector(registry=_REGISTRY)  # process_resident_memory_bytes and more, on Linux

KEY_VARIABLE = "SIMILE_METRICS_KEY"
_SHORTEST_KEY = 16  # characters
_SCHEME = "bearer "
_FORWARDED = ("forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
_OUR_NAMES = ("127.0.0.1", "localhost", "[::1]")


def read_key(file: str | None) -> str | None:
    """The key of /metrics: the text in `file`, else the value of SIMILE_METRICS_KEY; None without both.

    Raises:
        SimileError: the file cannot be read, or the key is shorter than 16 characters.
    """
    if file:
        try:
            key = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise SimileError(f"--metrics-key: {file} cannot be read ({error}); name a text file") from None
    elif not (key := os.environ.get(KEY_VARIABLE, "").strip()):
        return None
    if len(key) < _SHORTEST_KEY:
        raise SimileError(
            f"the key of /metrics has {len(key)} characters; it must have {_SHORTEST_KEY} or more, "
            "such as the output of: openssl rand -hex 16"
        )
    return key


def metrics_route(key: str | None, public: bool) -> Route:
    """The route of /metrics. It needs no login.

    Args:
        key: opens it from anywhere, as `Authorization: Bearer KEY`.
        public: visitors come through a tunnel or a proxy on this machine. Then every request needs the key,
            because some tunnels pass bytes on as they are, and cannot be told from this machine's own users.
    """

    def answer(request: Request) -> Response:
        sent = request.headers.get("authorization", "")
        given = sent[len(_SCHEME) :].strip() if sent.lower().startswith(_SCHEME) else ""
        if key and hmac.compare_digest(given.encode(), key.encode()):
            return _figures()
        if not public and is_from_this_machine(request):
            return _figures()
        detail = "/metrics is for users of this machine, and for those who send its key as a Bearer token"
        return JSONResponse({"detail": detail}, 401, {"WWW-Authenticate": "Bearer"})

    return Route("/metrics", answer, methods=["GET"])


def _figures() -> Response:
    return Response(generate_latest(_REGISTRY), 200, {"Cache-Control": "no-store"}, CONTENT_TYPE_LATEST)


def is_from_this_machine(request: Request) -> bool:
    """Whether a request came straight from a program on this machine that addressed this machine.

    It did not if it carries a header that proxies add, or names another host or port, as a tunnel's visitors
    and web pages that rebind their own name to this machine do.
    """
    client, server = request.client, request.scope.get("server") or ("", None)
    try:
        loopback = ipaddress.ip_address(client.host if client else "").is_loopback
    except ValueError:
        return False
    name, _, port = request.headers.get("host", "").rpartition(":")
    ours = name in _OUR_NAMES and port == str(server[1])
    return loopback and ours and not any(header in request.headers for header in _FORWARDED)


def count_logged_errors() -> Callable[[], None]:
    """From now on each line of level ERROR in the log counts as an error; returns what ends that."""
    handler = _ErrorCounter(logging.ERROR)
    logging.getLogger().addHandler(handler)
    return lambda: logging.getLogger().removeHandler(handler)


class _ErrorCounter(logging.Handler):
    def emit(self, record: Any) -> None:
        ERRORS.inc()


def _bytes_below(folder: Path) -> int:
    """Bytes of all files in a folder; what is deleted meanwhile counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_size
            except FileNotFoundError:
                continue
    return total
