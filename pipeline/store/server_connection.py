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

from pipeline.errors import SimileError
from pipeline.store.authority import trusted_certificates
from pipeline.store.server_errors import SERVER_ERRORS, ServerError, classify, sentence

__all__ = ["Node", "nodes_at", "patience_seconds", "request_seconds"]

CONNECT_SECONDS = 8  # of preflight, which answers within ten
OLDEST, NEWEST = (1, 19), (1, 19)  # versions of the server that Simile needs, and was tested with
_PATIENCE_SECONDS = 120.0
_TIMEOUT_SECONDS = 60
_SHORTEST_TIMEOUT_SECONDS = 4  # preflight may wait for two answers
_PING_SECONDS = 1  # a page goes on at another node within two

log = logging.getLogger("simile")
_warned: set[tuple[str, str]] = set()  # (address, version), so that each process says it once


@dataclass
class Node:
    """One address. Clients are made when they are first needed, which takes some 30 ms each.

    Attributes:
        url: of its REST interface.
        api_key: None where the server asks for none.
        grpc_port: None: points go by REST.
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

    def _made(self, **settings: Any) -> QdrantClient:
        if self.api_key and urlsplit(self.url).scheme == "http":
            _warn_of_open_key(self.url)
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
        """For points. By gRPC where its port is given, because vectors are long as JSON."""
        if self.grpc_port is None:
            return self.client
        root = trusted_certificates()
        authority = {"root_certificates": root.encode()} if root else {}
        return self._made(
            timeout=self.timeout, prefer_grpc=True, grpc_port=self.grpc_port, grpc_options=authority
        )

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
                    f"The Qdrant server at {self.url} answers {failure.status}; {mend}.", failure
                ) from error
            raise ServerError(sentence(failure, self.url, 0), failure) from error
        finally:
            probe.close()
        _check_version(version, self.url)
        if self.grpc_port is not None:
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
    REST address does not tell it.

    Raises:
        SimileError: no address, or the ports are no numbers or not as many.
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
    if not urls:
        raise SimileError(f"'{address}' names no Qdrant server; give an address such as http://qdrant:6333.")
    seconds = request_seconds(patience)
    return [Node(url, api_key, port, seconds) for url, port in zip(urls, ports, strict=True)]


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
    parts = urlsplit(url)
    target = f"{parts.hostname or 'localhost'}:{port}"
    root = trusted_certificates()
    channel = (
        grpc.secure_channel(target, grpc.ssl_channel_credentials(root.encode() if root else None))
        if parts.scheme == "https"
        else grpc.insecure_channel(target)
    )
    try:
        grpc.channel_ready_future(channel).result(timeout=CONNECT_SECONDS)
    except grpc.FutureTimeoutError:
        raise SimileError(
            f"Nobody answers gRPC at {target}; set QDRANT_GRPC_PORT to the server's port for it, or unset it."
        ) from None
    finally:
        channel.close()
