"""A web server on 127.0.0.1 with pictures, and with everything that goes wrong with addresses."""

from __future__ import annotations

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["WebStandIn"]


class WebStandIn:
    """Serves `pages`, a context manager.

    `/status/404` answers so. `/to?ADDRESS` redirects there. `/busy` asks to wait a second, once.
    `/long-wait` asks to wait an hour. `/declared` says that it has 1 GB, `/endless` sends without end,
    `/drip` a byte at a time. `/slow/…` answers after a moment.

    Attributes:
        url: without a slash at its end.
        requests: paths in order.
        most_at_once: of requests.
    """

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages, self.requests, self.most_at_once = pages, [], 0
        self._now, self._lock = 0, threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"web": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> WebStandIn:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, step: int) -> None:
        """Enter that a request begins or ends."""
        with self._lock:
            self._now += step
            self.most_at_once = max(self.most_at_once, self._now)


class _Handler(BaseHTTPRequestHandler):
    web: WebStandIn

    def do_GET(self) -> None:
        """Answer one request."""
        self.web.requests.append(self.path)
        self.web.count(1)
        try:
            self._answer(*self.path.partition("?")[::2])
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client had enough
        finally:
            self.web.count(-1)

    def _answer(self, path: str, query: str) -> None:
        times = Counter(self.web.requests)[self.path]
        if path.startswith("/status/"):
            self._send(int(path.rpartition("/")[2]))
        elif path == "/to":
            self._send(302, Location=query)
        elif path == "/long-wait" or (path == "/busy" and times == 1):
            self._send(429, **{"Retry-After": "3600" if path == "/long-wait" else "1"})
        elif path == "/declared":
            self._send(200, **{"Content-Length": str(10**9)})
        elif path in ("/endless", "/drip"):
            self._send(200)
            for _ in range(10_000):
                self.wfile.write(b"x" * (2**20 if path == "/endless" else 1))
                time.sleep(0 if path == "/endless" else 0.05)
        else:
            time.sleep(0.05 if path.startswith("/slow/") else 0)
            body = self.web.pages.get(path.removeprefix("/slow").removeprefix("/busy") or "/a.png")
            self._send(404 if body is None else 200, body or b"", **{"Content-Length": str(len(body or b""))})

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
