"""Connecting to a Qdrant server: REST for everything, gRPC for writing where its port is given."""

import os
from functools import partial
from urllib.parse import urlsplit

import grpc
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from pipeline.errors import SimileError

__all__ = ["connect", "grpc_port", "patience_seconds"]

CONNECT_SECONDS = 8  # of preflight, which answers within ten
_PATIENCE_SECONDS = 120.0
_TIMEOUT_SECONDS = 60
_SHORTEST_TIMEOUT_SECONDS = 4  # preflight may wait for two answers


def connect(url: str, api_key: str | None, patience: float) -> tuple[QdrantClient, QdrantClient]:
    """A client for everything, and the one that points are written with.

    Args:
        url: of the server's REST interface.
        api_key: None where the server asks for none.
        patience: seconds that a request is repeated at most.

    Raises:
        SimileError: nobody answers, or the key is refused.
    """
    try:
        probe = QdrantClient(url=url, api_key=api_key, timeout=CONNECT_SECONDS, check_compatibility=False)
        probe.get_collections()
    except ResponseHandlingException as error:
        raise SimileError(f"No Qdrant server answers at {url}; start it, or unset QDRANT_URL.") from error
    except UnexpectedResponse as error:
        mend = "set QDRANT_API_KEY" if error.status_code in (401, 403) else "see the server's log"
        raise SimileError(f"The Qdrant server at {url} answers {error.status_code}; {mend}.") from error
    # One request must not take much longer than the patience for all of its repetitions.
    timeout = min(_TIMEOUT_SECONDS, max(_SHORTEST_TIMEOUT_SECONDS, int(patience)))
    made = partial(QdrantClient, url=url, api_key=api_key, timeout=timeout, check_compatibility=False)
    client = made()
    # Points are written by gRPC where its port is given, because vectors are long as JSON. The REST address
    # does not tell the port.
    port = os.environ.get("QDRANT_GRPC_PORT")
    return client, made(prefer_grpc=True, grpc_port=grpc_port(url, port)) if port else client


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
        grpc.channel_ready_future(channel).result(timeout=CONNECT_SECONDS)
    except grpc.FutureTimeoutError:
        raise SimileError(
            f"Nobody answers gRPC at {target}; set QDRANT_GRPC_PORT to the server's port for it, or unset it."
        ) from None
    finally:
        channel.close()
    return int(port)
