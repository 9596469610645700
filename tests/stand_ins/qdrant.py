"""A small HTTP server that speaks the part of Qdrant's REST interface that Simile uses, as strictly as 1.19.

Points are held by qdrant-client's local mode, so results are exact and quantization is accepted and
ignored. It proves what goes over the wire; the engine itself is tested through the embedded store.
What it does for a request is in `qdrant_routes`, what it refuses in `qdrant_refusals`, and which peer holds
what in `qdrant_shards`.
"""

import json
import re
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from qdrant_client import QdrantClient, models

from tests.stand_ins import qdrant_routes
from tests.stand_ins.qdrant_refusals import BODY_BYTES, Refusal
from tests.stand_ins.qdrant_shards import Shards

__all__ = ["Fault", "QdrantStandIn"]

STALL_SECONDS = 1.0
LATE_SECONDS = 0.3

Fault = Literal[
    "400", "403", "404", "408", "429", "500", "502", "503", "504", "drop", "stall", "later", "html",
    "done drop", "done 408", "done 500", "done 504", "late", "twice",
]  # fmt: skip
_WORDS = {
    "400": "Wrong input: asked for",
    "403": "Forbidden: Global manage access is required",
    "404": "Not found: asked for",
    "408": "Timeout error: Operation 'asked for' timed out after 60 seconds",
    "429": "Rate limiting exceeded: Write rate limit exceeded, retry later",
    "500": "Service internal error: asked for",
    "502": "Bad gateway",
    "503": "Service unavailable: asked for",
    "504": "Gateway timeout",
}
_READS = re.compile(r"/points/?(query|query/batch|scroll|count)?$|/facet$")


class QdrantStandIn:
    """Context manager; `url` is where it listens, several addresses with a comma between them.

    `fault`, given method and path, may name what goes wrong with a request:

    - before it is carried out: an answer of that status; "drop", a connection closed without an answer;
      "stall", `STALL_SECONDS` and then a 500; "later", a 429 that names the seconds to wait; "html", the page
      of a server that is no Qdrant
    - after it was carried out: "done …", with the same words
    - "late": answered by 504, and carried out `LATE_SECONDS` later; "twice": delivered twice, and the second
      answer is the one that is sent

    Between `go_away` and `come_back` it refuses connections; `kill` and `revive` do that to one peer.

    Args:
        api_key: asked for in each request.
        read_only_key: is refused what writes.
        peers: how many, each with an address of its own.
        strict: strict mode of collections that ask for none.
        peer_seconds: that an operation takes which waits for a peer that is dead.
        tls: the server's side of TLS, with which it speaks https.
    """

    def __init__(
        self,
        api_key: str | None = None,
        read_only_key: str | None = None,
        peers: int = 1,
        strict: models.StrictModeConfig | None = None,
        peer_seconds: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.client = QdrantClient(":memory:")
        self.version = "1.19.0"
        self.aliases: dict[str, str] = {}
        self.created: dict[str, models.CreateCollection] = {}  # what was asked for, also what it ignores
        self.indexes: dict[str, dict[str, dict]] = {}  # the payload indexes, by collection
        self.updated: dict[str, list[dict]] = {}  # the bodies of updates, by collection
        self.upserted = Counter[str]()  # points that were written, by collection
        self.building: dict[str, int] = {}  # looks at a collection that is YELLOW; below 0: for ever
        self.build_looks = 0
        self.memory: Any = None  # what `/memory` answers; None: it is not there
        self.optimizes = True  # False: what is to be built is queued and nothing runs
        self.lock = threading.Lock()
        self.api_key, self.read_only_key, self.tls = api_key, read_only_key, tls
        self.refused: list[str] = []  # what was asked with the read-only key and is no reading
        self.strict, self.peer_seconds = strict, peer_seconds
        self.fault: Callable[[str, str], Fault | None] = lambda method, path: None
        self.away = False
        self._servers = [self._listen(peer, 0) for peer in range(peers)]
        scheme = "https" if tls else "http"
        self.urls = [f"{scheme}://127.0.0.1:{server.server_port}" for server in self._servers]
        self.url = ",".join(self.urls)
        self.shards = Shards(self.urls)

    def _listen(self, peer: int, port: int) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"server_state": self, "peer": peer})
        server = _Listening(("127.0.0.1", port), handler)
        if self.tls:
            server.socket = self.tls.wrap_socket(server.socket, server_side=True)
        return server

    def __enter__(self) -> "QdrantStandIn":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for peer, server in enumerate(self._servers):
            if peer not in self.shards.dead:
                server.shutdown()
                server.server_close()

    def go_away(self) -> None:
        """Refuse connections, and drop those that are open with their next request."""
        self.away = True
        self.__exit__()

    def come_back(self) -> None:
        """Listen again at the same address, with all that was written."""
        self._servers = [self._listen(peer, server.server_port) for peer, server in enumerate(self._servers)]
        self.away = False
        self.__enter__()

    def kill(self, peer: int) -> None:
        """One peer refuses connections, and the others do without its replicas."""
        self._servers[peer].shutdown()
        self._servers[peer].server_close()
        self.shards.dead.add(peer)

    def revive(self, peer: int) -> None:
        """The peer listens again at its address."""
        self._servers[peer] = self._listen(peer, self._servers[peer].server_port)
        threading.Thread(target=self._servers[peer].serve_forever, args=(0.02,), daemon=True).start()
        self.shards.revive(peer)

    def answer(self, peer: int, method: str, path: str, body: dict[str, Any]) -> Any:
        """The `result` of one request; raises Refusal."""
        waits = any(method == verb and re.fullmatch(at, path) for verb, at in qdrant_routes.WAITS_FOR_PEERS)
        with self.lock:
            result = qdrant_routes.answer(self, peer, method, path, body)
        if waits and self.shards.dead:
            time.sleep(self.peer_seconds)
        return result


class _Listening(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet about clients that were killed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server_state: QdrantStandIn
    peer: int
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        state, path = self.server_state, self.path.split("?")[0]
        sent = self.rfile.read(int(self.headers.get("content-length") or 0))
        key = self.headers.get("api-key")
        keys = {each for each in (state.api_key, state.read_only_key) if each}
        if keys and key not in keys:
            return self._send(401, b"Must provide an API key or an Authorization bearer token", "text/plain")
        if key == state.read_only_key and key and not self._reads(path):
            state.refused.append(f"{self.command} {path}")
            return self._refuse(Refusal(403, _WORDS["403"]))
        fault = state.fault(self.command, path)
        if fault == "drop" or state.away or self.peer in state.shards.dead:
            return self._close()
        if fault == "html":
            return self._send(200, b"<!doctype html><title>Welcome</title>", "text/html")
        if fault == "later":
            return self._refuse(Refusal(429, _WORDS["429"]), {"retry-after": "1"})
        if fault == "stall":
            time.sleep(STALL_SECONDS)
            return self._refuse(Refusal(500, _WORDS["500"]))
        if fault and fault.isdigit():
            return self._refuse(Refusal(int(fault), _WORDS[fault]))
        if len(sent) > BODY_BYTES:
            words = f"JSON payload ({len(sent)} bytes) is larger than allowed (limit: {BODY_BYTES} bytes)."
            return self._refuse(Refusal(400, words))
        body = json.loads(sent or b"{}")
        if fault == "late":
            threading.Timer(LATE_SECONDS, self._carry_out, (path, body)).start()
            return self._refuse(Refusal(504, _WORDS["504"]))
        answer = self._carry_out(path, body)
        if fault == "twice":
            answer = self._carry_out(path, body)
        if fault == "done drop":
            return self._close()
        if fault and fault.startswith("done "):
            status = fault.removeprefix("done ")
            return self._refuse(Refusal(int(status), _WORDS[status]))
        if isinstance(answer, Refusal):
            return self._refuse(answer) if answer.status else self._close()
        # A server names itself at its root without the frame of its other answers.
        framed = answer if path == "/" else {"result": answer, "status": "ok", "time": 0.0}
        return self._send(200, json.dumps(framed).encode())

    def _reads(self, path: str) -> bool:
        return self.command == "GET" or (self.command == "POST" and bool(_READS.search(path)))

    def _carry_out(self, path: str, body: dict[str, Any]) -> Any:
        try:
            return self.server_state.answer(self.peer, self.command, path, body)
        except Refusal as refusal:
            return refusal
        except ValueError as error:
            return Refusal(400, f"Wrong input: {error}")

    def _close(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _refuse(self, refusal: Refusal, headers: dict[str, str] | None = None) -> None:
        self._send(refusal.status, json.dumps(refusal.body).encode(), headers=headers)

    def _send(
        self, status: int, data: bytes, kind: str = "application/json", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
