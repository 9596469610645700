"""Requests to a Qdrant server or cluster: repeated while it is busy or away, and at another address."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import tenacity

from pipeline.errors import SimileError
from pipeline.printable import without_secrets
from pipeline.store import server_connection
from pipeline.store.server_connection import Node, nodes_at
from pipeline.store.server_errors import SERVER_ERRORS, ServerError, classify, sentence

__all__ = ["PEER_SECONDS", "Servers"]

PEER_SECONDS = 30  # for what every node has to do; Qdrant waits for ten where one is down
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 15.0
_FRESH_SECONDS = 1.0  # a node that has answered so lately is not asked whether it is there
_AWAY_SECONDS = 10.0  # until an address that failed is tried again before the others
_SLOW_SECONDS = 3.0  # after which a line says what is waited for

log = logging.getLogger("simile")

T = TypeVar("T")


class Servers:
    """Sends requests to the first address that answers, and repeats those that fail for a while.

    Where several addresses of a cluster are given, a request goes on at the next when one does not answer,
    and later ones go back to the first once it is there again. `call` of the methods is a method of
    `QdrantClient`, followed by its arguments.

    Args:
        address: of the REST interface; several with commas between them.
        api_key: None where the server asks for none.
        patience: seconds that a request is repeated at most; 0: one attempt at each address.

    Raises:
        SimileError: nobody answers, the key is refused, or the server is too old.
    """

    def __init__(self, address: str, api_key: str | None, patience: float) -> None:
        self._nodes = nodes_at(address, api_key, patience)
        self.address = ",".join(node.url for node in self._nodes)
        self.shown = without_secrets(self.address)  # for messages
        self.patience = patience
        self._lock = threading.Lock()
        self.version = self._connect()

    def _connect(self) -> str:
        """Version of the first node that answers and can be used; the others may be down."""
        problem = SimileError(f"No Qdrant server answers at {self.shown}; start it, or unset QDRANT_URL.")
        seconds = max(1, server_connection.CONNECT_SECONDS // len(self._nodes))
        for node in self._nodes:
            try:
                version = node.connect(seconds)
            except ServerError as error:
                if error.failure.kind != "temporary":
                    raise
                problem, version = error, None
            if version is not None:
                node.heard = time.monotonic()
                return version
            node.away_until = time.monotonic() + _AWAY_SECONDS
        raise problem

    def ask(self, call: Callable[..., T], *given: Any, **named: Any) -> T:
        """Send a request, again while that may help.

        Raises:
            ServerError: the patience ran out, or the server refuses the request.
        """
        return self._send(lambda node: call(node.client, *given, **named), self.patience)

    def ask_once(self, call: Callable[..., T], *given: Any, **named: Any) -> T:
        """The same with one attempt at each address."""
        return self._send(lambda node: call(node.client, *given, **named), 0.0)

    def write(self, call: Callable[..., T], *given: Any, **named: Any) -> T:
        """The same for points, by gRPC where its port is given. Repeating one changes nothing."""
        return self._send(lambda node: call(node.writer, *given, **named), self.patience)

    def change(self, call: Callable[..., T], *given: Any, **named: Any) -> T:
        """The same for what every node has to do, such as making a collection; one may be down."""
        line = threading.Timer(
            _SLOW_SECONDS,
            log.warning,
            (
                "The Qdrant server at %s has not finished a change after %d seconds; one of its nodes may be "
                "down, for which it has %d seconds.",
                self.shown,
                _SLOW_SECONDS,
                PEER_SECONDS,
            ),
        )
        line.daemon = True
        line.start()
        try:
            named["timeout"] = PEER_SECONDS
            return self._send(lambda node: call(node.client, *given, **named), self.patience)
        finally:
            line.cancel()

    def _send(self, send: Callable[[Node], T], patience: float) -> T:
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, SERVER_ERRORS) and classify(error).kind == "temporary"
            ),
            wait=partial(_wait, patience=patience, addresses=len(self._nodes)),
            stop=tenacity.stop_all(
                tenacity.stop_after_delay(patience), tenacity.stop_after_attempt(len(self._nodes))
            ),
            reraise=True,
        )
        try:
            answer: T = attempts(self._attempt, send)
            return answer
        except SERVER_ERRORS as error:
            failure = classify(error)
            raise ServerError(sentence(failure, self.shown, patience), failure) from error

    def _attempt(self, send: Callable[[Node], T]) -> T:
        node = self._pick()
        try:
            answer = send(node)
        except SERVER_ERRORS as error:
            if classify(error).kind == "temporary":
                node.heard, node.away_until = 0.0, time.monotonic() + _AWAY_SECONDS
            raise
        node.heard = time.monotonic()
        return answer

    def _pick(self) -> Node:
        """The first node that answers. One not heard lately is asked first: a hung one costs a second."""
        if len(self._nodes) == 1:
            return self._nodes[0]
        with self._lock:
            now = time.monotonic()
            # Those that failed lately come last, and of them the one that failed first.
            for node in sorted(self._nodes, key=lambda each: max(now, each.away_until)):
                if node.heard + _FRESH_SECONDS > now or self._answers(node):
                    return node
            return min(self._nodes, key=lambda each: each.away_until)

    def _answers(self, node: Node) -> bool:
        try:
            node.ping.info()
        except SERVER_ERRORS:
            node.away_until = time.monotonic() + _AWAY_SECONDS
            return False
        node.heard = time.monotonic()
        return True


def _wait(attempt: tenacity.RetryCallState, patience: float, addresses: int) -> float:
    """Seconds: none before all addresses were tried; then growing and jittered, plus what a 429 asks for."""
    error = attempt.outcome.exception() if attempt.outcome else None
    asked = min(classify(error).wait, patience) if error else 0.0
    if not asked and attempt.attempt_number % addresses:
        return 0.0
    longest = min(_LONGEST_WAIT_SECONDS, patience / 4)
    return asked + tenacity.wait_random_exponential(_FIRST_WAIT_SECONDS, longest)(attempt)
