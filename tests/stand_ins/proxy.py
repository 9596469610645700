"""A reverse proxy on 127.0.0.1 that serves a page below a path, as nginx and others do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_OWN = {"host", "connection", "transfer-encoding"}  # headers of one hop
_SECONDS = 60.0


@contextmanager
def serving(upstream: str, path: str, strip: bool = True) -> Iterator[str]:
    """The address below which `upstream` is served.

    Args:
        path: such as `/simile`; whatever is not below it answers 404.
        strip: take the path away before a request is passed on.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not f"{self.path}/".startswith(f"{path}/"):
                self.send_error(404)
                return
            asked = self.path.removeprefix(path) if strip else self.path
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
            headers |= {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Host": self.headers["Host"]}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asking = httpx.stream(
                self.command, upstream + asked, headers=headers, content=body, timeout=_SECONDS
            )
            with suppress(ConnectionError, httpx.HTTPError), asking as answer:
                self.send_response(answer.status_code)
                for name, value in answer.headers.multi_items():
                    if name not in _OWN:
                        self.send_header(name, value)
                self.end_headers()
                for chunk in answer.iter_raw():
                    self.wfile.write(chunk)
                    self.wfile.flush()

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}{path}"
    server.shutdown()
    server.server_close()
