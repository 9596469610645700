"""Connecting to a Qdrant server: REST for everything, gRPC for writing where its port is given."""

import logging
import os
from functools import cache, partial
from urllib.parse import urlsplit

import grpc
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from pipeline.errors import SimileError
from pipeline.store.authority import tls_context, trusted_certificates

__all__ = ["connect", "grpc_port", "patience_seconds"]

CONNECT_SECONDS = 8  # of preflight, which answers within ten
_PATIENCE_SECONDS = 120.0
_TIMEOUT_SECONDS = 60
_SHORTEST_TIMEOUT_SECONDS = 4  # preflight may wait for two answers

log = logging.getLogger("simile")


def connect(url: str, api_key: str | None, patience: float) -> tuple[QdrantClient, QdrantClient]:
    """A client for everything, and the one that points are written with.

    Args:
        url: of the server's REST interface.
        api_key: None where the server asks for none.
        patience: seconds that a request is repeated at most.

    Raises:
        SimileError: nobody answers, the certificate is not trusted, or the key is refused.
    """
    made = partial(
        QdrantClient,
        url=url,
        https=api_key is not None,  # only where the address does not say
        # As `api_key`, qdrant-client would warn of http for each client, three times a job.
        headers={"api-key": api_key} if api_key else None,
        verify=tls_context() if urlsplit(url).scheme == "https" else True,
        check_compatibility=False,
    )
    if api_key and urlsplit(url).scheme == "http":
        _warn_of_open_key(url)
    try:
        made(timeout=CONNECT_SECONDS).get_collections()
    except ResponseHandlingException as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise SimileError(
                f"The certificate of the Qdrant server at {url} is not trusted ({error}); set QDRANT_CA or "
                "--ca to the PEM file of the authority that signed it."
            ) from error
        raise SimileError(f"No Qdrant server answers at {url}; start it, or unset QDRANT_URL.") from error
    except UnexpectedResponse as error:
        mend = "set QDRANT_API_KEY" if error.status_code in (401, 403) else "see the server's log"
        raise SimileError(f"The Qdrant server at {url} answers {error.status_code}; {mend}.") from error
    # One request must not take much longer than the patience for all of its repetitions.
    timeout = min(_TIMEOUT_SECONDS, max(_SHORTEST_TIMEOUT_SECONDS, int(patience)))
    client = made(timeout=timeout)
    # Points are written by gRPC where its port is given, because vectors are long as JSON. The REST address
    # does not tell the port.
    port = os.environ.get("QDRANT_GRPC_PORT")
    if not port:
        return client, client
    authority = {"root_certificates": root} if (root := _root_certificates()) else {}
    fast = made(timeout=timeout, prefer_grpc=True, grpc_port=grpc_port(url, port), grpc_options=authority)
    return client, fast


@cache
def _warn_of_open_key(url: str) -> None:
    """Once for each server, as the answer is cached."""
    log.warning("QDRANT_API_KEY goes to %s without encryption; use https:// where others could listen.", url)


def _root_certificates() -> bytes | None:
    """The trusted certificates as gRPC takes them."""
    text = trusted_certificates()
    return text.encode() if text else None


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
        grpc.secure_channel(target, grpc.ssl_channel_credentials(_root_certificates()))
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
