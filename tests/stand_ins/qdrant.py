"""A small HTTP server that speaks the part of Qdrant's REST interface that Simile uses.

Points are held by qdrant-client's local mode, so results are exact and quantization is accepted and
ignored. It proves what goes over the wire; the engine itself is tested through the embedded store.
"""

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from qdrant_client import QdrantClient, models

__all__ = ["Fault", "QdrantStandIn"]

STALL_SECONDS = 1.0


Fault = Literal["500", "429", "403", "drop", "stall", "later"]


class QdrantStandIn:
    """Context manager; `url` is where it listens. `api_key` makes it ask for one.

    `fault`, given method and path, may name what goes wrong with a request: an answer of 500, 429 or 403, a
    connection dropped without an answer, a pause of `STALL_SECONDS` before a 500, or ("later") a 429 that
    names the seconds to wait. Between `go_away` and `come_back` it refuses connections.
    """

    def __init__(self, api_key: str | None = None) -> None:
        self.client = QdrantClient(":memory:")
        self.aliases: dict[str, str] = {}
        self.created: dict[str, models.CreateCollection] = {}  # what was asked for, also what it ignores
        self.updated: dict[str, list[dict]] = {}  # the bodies of updates, by collection
        self.lock = threading.Lock()
        self.api_key = api_key
        self.fault: Callable[[str, str], Fault | None] = lambda method, path: None
        self.away = False
        self._server = self._listen(0)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _listen(self, port: int) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"server_state": self})
        return _Listening(("127.0.0.1", port), handler)

    def __enter__(self) -> "QdrantStandIn":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def go_away(self) -> None:
        """Refuse connections, and drop those that are open with their next request."""
        self.away = True
        self.__exit__()

    def come_back(self) -> None:
        """Listen again at the same address, with all that was written."""
        self._server = self._listen(self._server.server_port)
        self.away = False
        self.__enter__()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """The `result` of one request."""
        with self.lock:
            for verb, pattern, action in _ROUTES:
                found = re.fullmatch(pattern, path)
                if verb == method and found:
                    return action(self, body, *found.groups())
        raise KeyError(f"{method} {path}")


class _Listening(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet about clients that were killed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server_state: QdrantStandIn
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        key = self.server_state.api_key
        if key and self.headers.get("api-key") != key:
            return self._send(401, {"status": {"error": "Must provide an API key"}})
        fault = self.server_state.fault(self.command, self.path.split("?")[0])
        if fault == "drop" or self.server_state.away:
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        if fault == "later":
            return self._send(429, {"status": {"error": fault}}, {"retry-after": "1"})
        if fault:
            time.sleep(STALL_SECONDS if fault == "stall" else 0)
            return self._send(int(fault) if fault.isdigit() else 500, {"status": {"error": fault}})
        try:
            result = self.server_state.answer(self.command, self.path.split("?")[0], body)
        except (KeyError, ValueError) as error:
            return self._send(404, {"status": {"error": str(error)}, "time": 0.0})
        # A server names itself at its root without the frame of its other answers.
        framed = {"result": result, "status": "ok", "time": 0.0}
        return self._send(200, result if self.path == "/" else framed)

    def _send(self, status: int, answer: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _json(value: Any) -> Any:
    return json.loads(value.model_dump_json()) if hasattr(value, "model_dump_json") else value


_DONE = {"operation_id": 0, "status": "completed"}


def _create(state: QdrantStandIn, body: dict, name: str) -> Any:
    wanted = state.created[name] = models.CreateCollection.model_validate(body)
    return state.client.create_collection(name, vectors_config=wanted.vectors)


def _update(state: QdrantStandIn, body: dict, name: str) -> Any:
    state.updated.setdefault(name, []).append(body)
    return True


def _info(state: QdrantStandIn, body: dict, name: str) -> Any:
    """With a graph of everything, as a server says once it is done."""
    info = state.client.get_collection(name)
    vectors = info.config.params.vectors
    indexed = (info.points_count or 0) * (len(vectors) if isinstance(vectors, dict) else 1)
    return _json(info.model_copy(update={"indexed_vectors_count": indexed}))


def _upsert(state: QdrantStandIn, body: dict, name: str) -> Any:
    points = (
        models.Batch.model_validate(body["batch"])
        if "batch" in body
        else [models.PointStruct.model_validate(point) for point in body["points"]]
    )
    state.client.upsert(name, points)
    return _DONE


def _query_many(state: QdrantStandIn, body: dict, name: str) -> Any:
    return [_query(state, asked, name) for asked in body["searches"]]


def _query(state: QdrantStandIn, body: dict, name: str) -> Any:
    asked = models.QueryRequest.model_validate(body)
    found = state.client.query_points(
        name,
        query=asked.query,
        using=asked.using,
        limit=asked.limit or 10,
        query_filter=asked.filter,
        score_threshold=asked.score_threshold,
        with_payload=asked.with_payload or False,
        with_vectors=asked.with_vector or False,
    )
    return _json(found)


def _retrieve(state: QdrantStandIn, body: dict, name: str) -> Any:
    asked = models.PointRequest.model_validate(body)
    found = state.client.retrieve(
        name, asked.ids, with_payload=asked.with_payload or False, with_vectors=asked.with_vector or False
    )
    return [_json(record) for record in found]


def _scroll(state: QdrantStandIn, body: dict, name: str) -> Any:
    asked = models.ScrollRequest.model_validate(body)
    everything, _ = state.client.scroll(
        name,
        scroll_filter=asked.filter,
        limit=100_000,
        with_payload=asked.with_payload or False,
        with_vectors=asked.with_vector or False,
    )
    if asked.order_by:
        by_value, _ = state.client.scroll(
            name,
            scroll_filter=asked.filter,
            limit=asked.limit or 10,
            order_by=asked.order_by,
            with_payload=asked.with_payload or False,
        )
        return {"points": [_json(r) for r in by_value], "next_page_offset": None}
    ordered = sorted(everything, key=lambda record: str(record.id))
    kept = [r for r in ordered if asked.offset is None or str(r.id) >= str(asked.offset)]
    page, rest = kept[: asked.limit], kept[asked.limit or 10 :]
    return {"points": [_json(r) for r in page], "next_page_offset": str(rest[0].id) if rest else None}


def _facet(state: QdrantStandIn, body: dict, name: str) -> Any:
    asked = models.FacetRequest.model_validate(body)
    return _json(state.client.facet(name, asked.key, facet_filter=asked.filter, limit=asked.limit or 10))


def _count(state: QdrantStandIn, body: dict, name: str) -> Any:
    asked = models.CountRequest.model_validate(body)
    return _json(state.client.count(name, count_filter=asked.filter, exact=True))


def _delete_points(state: QdrantStandIn, body: dict, name: str) -> Any:
    kind = models.FilterSelector if "filter" in body else models.PointIdsList
    state.client.delete(name, kind.model_validate(body))
    return _DONE


def _change_aliases(state: QdrantStandIn, body: dict) -> Any:
    for action in models.ChangeAliasesOperation.model_validate(body).actions:
        if isinstance(action, models.DeleteAliasOperation):
            state.aliases.pop(action.delete_alias.alias_name, None)
        elif isinstance(action, models.CreateAliasOperation):
            state.aliases[action.create_alias.alias_name] = action.create_alias.collection_name
    return True


def _list_aliases(state: QdrantStandIn, body: dict) -> Any:
    return {"aliases": [{"alias_name": a, "collection_name": c} for a, c in state.aliases.items()]}


_NAME = r"/collections/([^/]+)"
_ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/", lambda s, b: {"title": "qdrant", "version": "1.20.0"}),
    ("GET", "/collections", lambda s, b: _json(s.client.get_collections())),
    ("GET", "/aliases", _list_aliases),
    ("POST", "/collections/aliases", _change_aliases),
    ("GET", _NAME + "/exists", lambda s, b, n: {"exists": s.client.collection_exists(n)}),
    ("PUT", _NAME, _create),
    ("GET", _NAME, _info),
    ("PATCH", _NAME, _update),
    ("DELETE", _NAME, lambda s, b, n: s.client.delete_collection(n)),
    ("PUT", _NAME + "/index", lambda s, b, n: _DONE),
    ("PUT", _NAME + "/points", _upsert),
    ("POST", _NAME + "/points/query", _query),
    ("POST", _NAME + "/points/query/batch", _query_many),
    ("POST", _NAME + "/points", _retrieve),
    ("POST", _NAME + "/points/scroll", _scroll),
    ("POST", _NAME + "/points/count", _count),
    ("POST", _NAME + "/points/delete", _delete_points),
    ("POST", _NAME + "/facet", _facet),
]
