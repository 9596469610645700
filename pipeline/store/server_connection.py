"""Connecting to one address of a Qdrant server: REST, and gRPC for writing where its port is given."""

import logging
import os
import re
import ssl
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx
from qdrant_client import QdrantClient
from qdrant_client import grpc as messages
from qdrant_client.grpc.qdrant_pb2_grpc import QdrantStub

from pipeline.errors import SimileError
from pipeline.printable import without_secrets
from pipeline.store.authority import trusted_certificates
from pipeline.store.server_errors import SERVER_ERRORS, ServerError, classify, sentence

__all__ = ["Node", "nodes_at", "patience_seconds", "request_seconds"]

CONNECT_SECONDS = 8  # of preflight, which answers within ten
OLDEST, NEWEST = (1, 19), (1, 19)  # versions of the server that Simile needs, and was tested with
_PATIENCE_SECONDS = 120.0
_TIMEOUT_SECONDS = 60
_SHORTEST_TIMEOUT_SECONDS = 4  # preflight may wait for two answers
_PROBE_SECONDS = 1.0  # for a server of gRPC that nobody named
REST_PORT, GRPC_PORT = 6333, 6334  # Qdrant's own
_PING_SECONDS = 1  # a page goes on at another node within two

log = logging.getLogger("simile")
_warned: set[tuple[str, str]] = set()  # (address, version), so that each process says it once


@dataclass
class Node:
    """One address. Clients are made when they are first needed, which takes some 30 ms each.

    Attributes:
        url: of its REST interface.
        api_key: None where the server asks for none.
        grpc_port: None: Qdrant's own port is tried where the REST port is Qdrant's own; 0: points go by REST.
        timeout: seconds of one request.
        heard: `time.monotonic()` of its last answer.
        away_until: `time.monotonic()` until which the other addresses are tried first.
    """

    url: str
    api_key: str | None
    grpc_port: int | None
    timeout: int
    heard: float = 0.0
    away_until: float = 0.0

    @property
    def shown(self) -> str:
        """The address for messages."""
        return without_secrets(self.url)

    def _made(self, **settings: Any) -> QdrantClient:
        if self.api_key and urlsplit(self.url).scheme == "http":
            _warn_of_open_key(self.shown)
        return QdrantClient(
            url=self.url,
            https=self.api_key is not None,  # only where the address does not say
            # As `api_key`, qdrant-client would warn of http for each client, three times a job.
            headers={"api-key": self.api_key} if self.api_key else None,
            check_compatibility=False,
            verify=_context(trusted_certificates()),
            **settings,
        )

    @cached_property
    def client(self) -> QdrantClient:
        """For everything."""
        return self._made(timeout=self.timeout)

    @cached_property
    def writer(self) -> QdrantClient:
        """For points. By gRPC where its port is given or found, because vectors are long as JSON."""
        port = _found_port(self.url) if self.grpc_port is None else self.grpc_port
        if not port:
            return self.client
        root = trusted_certificates()
        authority = {"root_certificates": root.encode()} if root else {}
        return self._made(timeout=self.timeout, prefer_grpc=True, grpc_port=port, grpc_options=authority)

    @cached_property
    def ping(self) -> QdrantClient:
        """Asks whether the node is there."""
        return self._made(timeout=_PING_SECONDS)

    def connect(self, seconds: int) -> str | None:
        """Version of the server; None where nobody answers within some seconds.

        Raises:
            SimileError: it answers and cannot be used; the sentence says why.
        """
        probe = self._made(timeout=seconds)
        try:
            version = probe.info().version
            probe.get_collections()
        except SERVER_ERRORS as error:
            failure = classify(error)
            if failure.kind == "temporary" and not failure.status:
                return None
            if failure.kind in ("denied", "temporary"):
                mend = "set QDRANT_API_KEY" if failure.kind == "denied" else "see the server's log"
                raise ServerError(
                    f"The Qdrant server at {self.shown} answers {failure.status}; {mend}.", failure
                ) from error
            raise ServerError(sentence(failure, self.shown, 0), failure) from error
        finally:
            probe.close()
        _check_version(version, self.shown)
        if self.grpc_port:
            _check_grpc(self.url, self.grpc_port)
        return version


@cache
def _context(authority: str | None) -> ssl.SSLContext:
    """Trust in this authority (PEM text), or in the public ones (None), which take 90 ms to read: once a
    process, not once a client."""
    return ssl.create_default_context(cadata=authority) if authority else httpx.create_ssl_context()


@cache
def _warn_of_open_key(url: str) -> None:
    """Once for each server, as the answer is cached."""
    log.warning("QDRANT_API_KEY goes to %s without encryption; use https:// where others could listen.", url)


def nodes_at(address: str, api_key: str | None, patience: float) -> list[Node]:
    """The nodes behind an address, or behind several with commas between them.

    `QDRANT_GRPC_PORT` is one port for all, or as many as there are addresses, with commas between them: the
    REST address does not tell it. 0: none.

    Raises:
        SimileError: no address or a malformed one, or the ports are no numbers or not as many.
    """
    urls = [url.strip() for url in address.split(",") if url.strip()]
    ports: list[int | None] = [None] * len(urls)
    if given := os.environ.get("QDRANT_GRPC_PORT"):
        named = [port.strip() for port in given.split(",")]
        if not all(port.isdigit() for port in named) or len(named) not in (1, len(urls)):
            raise SimileError(
                f"QDRANT_GRPC_PORT is '{given}'; it must be a number, such as 6334, or one for each address, "
                "with commas between them."
            )
        ports = [int(port) for port in (named * len(urls) if len(named) == 1 else named)]
    wrong = next((url for url in urls or [address] if not _is_address(url)), None)
    if wrong is not None:
        raise SimileError(
            f"'{without_secrets(wrong)}' names no Qdrant server; give an address such as http://qdrant:6333."
        )
    seconds = request_seconds(patience)
    return [Node(url, api_key, port, seconds) for url, port in zip(urls, ports, strict=True)]


def _is_address(url: str) -> bool:
    """Whether this is host, host:port, or an address of http or https."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, or a port that is none
        return False


def request_seconds(patience: float) -> int:
    """How long one request may take: not much longer than the patience for all of its repetitions."""
    return min(_TIMEOUT_SECONDS, max(_SHORTEST_TIMEOUT_SECONDS, int(patience)))


def patience_seconds(at_most: float | None = None) -> float:
    """How long a request is repeated before the store counts as gone: `SIMILE_STORE_PATIENCE`, else 120 s."""
    set_by_user = float(os.environ.get("SIMILE_STORE_PATIENCE") or _PATIENCE_SECONDS)
    return set_by_user if at_most is None else min(set_by_user, at_most)


def _check_version(version: str, url: str) -> None:
    """Refuse a server that is too old, and warn once of one that is newer than those that were tested.

    Raises:
        SimileError: as it says.
    """
    numbers = re.match(r"(\d+)\.(\d+)", version)
    found = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    if found < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise SimileError(
            f"The Qdrant server at {url} is version {version or 'unknown'}, and Simile needs {needed} or "
            "newer; update the server."
        )
    if found > NEWEST and (url, version) not in _warned:
        _warned.add((url, version))
        log.warning(
            "The Qdrant server at %s is version %s; Simile was tested with versions up to %s.",
            url,
            version,
            ".".join(map(str, NEWEST)),
        )


def _check_grpc(url: str, port: int) -> None:
    """Whether a server of gRPC accepts connections at this port.

    Raises:
        SimileError: nobody answers.
    """
    target, channel = _channel(url, port)
    try:
        grpc.channel_ready_future(channel).result(timeout=CONNECT_SECONDS)
    except grpc.FutureTimeoutError:
        raise SimileError(
            f"No server answers gRPC at {target}; set QDRANT_GRPC_PORT to the server's gRPC port, or to 0 to "
            "use only REST."
        ) from None
    finally:
        channel.close()


def _channel(url: str, port: int) -> tuple[str, grpc.Channel]:
    """Host and port, and a channel to it that is as safe as the REST address."""
    parts = urlsplit(url)
    target = f"{parts.hostname or 'localhost'}:{port}"
    if parts.scheme != "https":
        return target, grpc.insecure_channel(target)
    root = trusted_certificates()
    return target, grpc.secure_channel(target, grpc.ssl_channel_credentials(root.encode() if root else None))


@cache
def _found_port(url: str) -> int:
    """Qdrant's own port for gRPC, if the server has both at their own ports; else 0. Asked once a process.

    At other ports nothing says which gRPC port belongs to which server.
    """
    if urlsplit(url).port != REST_PORT:
        return 0
    _, channel = _channel(url, GRPC_PORT)
    try:
        told = QdrantStub(channel).HealthCheck(  # type: ignore[no-untyped-call]
            messages.HealthCheckRequest(), timeout=_PROBE_SECONDS
        )
        return GRPC_PORT if told.version else 0
    except grpc.RpcError:
        return 0
    finally:
        channel.close()
