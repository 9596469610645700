"""Gradio's tunnel client in a process of its own: what gives this page a public address."""

import atexit
import secrets
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit, urlunsplit

import gradio as gr
import httpx
from gradio import networking, tunneling
from gradio.exceptions import ChecksumMismatchError

from page.share_link import ShareLink, TunnelError

__all__ = ["GradioTunnel", "open_gradio_tunnel", "public_link"]

_SUCCESS, _REFUSED = "start proxy success: ", "login to server failed"  # what the client prints
_LINES_KEPT = 5  # of the client, for the message when it fails
_END_SECONDS = 5.0  # for the client to end by itself


class GradioTunnel(tunneling.Tunnel):
    """Gradio's tunnel client, in a process of its own.

    Gradio reads what the client prints only until it knows the address. This class reads on: a full pipe
    would stop the client, and a client that has lost its connection logs in again by itself and prints a new
    address. The end of the client also ends the wait for an address.
    """

    def __init__(self, *args: str | int | None, secure: bool, on_news: Callable[[], None]) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._secure, self._on_news = secure, on_news
        self._settled = threading.Event()  # the address is known, or there will be none
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self.ended = False

    @property
    def address(self) -> str:
        """What visitors open. Gradio's own servers speak https, which the client does not know."""
        parts = urlsplit(self.url or "")
        return urlunsplit(parts._replace(scheme="https") if self._secure else parts).rstrip("/")

    def kill(self) -> None:
        """Ends the client, quietly, and forgets it."""
        process, self.proc = self.proc, None
        if process is None:
            return
        self.ended = True
        atexit.unregister(self.kill)
        if self in tunneling.CURRENT_TUNNELS:
            tunneling.CURRENT_TUNNELS.remove(self)
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _read_url_from_tunnel_stream(self) -> str:
        assert self.proc is not None and self.proc.stdout is not None and self.proc.stderr is not None
        for stream in (self.proc.stdout, self.proc.stderr):
            threading.Thread(target=self._read, args=(stream,), daemon=True).start()
        self._settled.wait(tunneling.TUNNEL_TIMEOUT_SECONDS)
        if not self.url:
            self.kill()
            said = " / ".join(self._lines) or "nothing"
            raise ValueError(f"the tunnel's client gave no address; it said: {said}")
        return str(self.url)

    def _read(self, stream: IO[bytes]) -> None:
        for raw in stream:
            line = raw.decode("utf-8", "replace").strip()
            self._lines.append(line)
            _, found, address = line.partition(_SUCCESS)
            if found:
                self.url = address  # type: ignore[assignment]  # Gradio's class has no annotation
            if found or _REFUSED in line:
                self._settled.set()
                self._on_news()
        if self.proc is not None and stream is self.proc.stdout:
            self.ended = True
            self._settled.set()
            self._on_news()


@contextmanager
def public_link(page: gr.Blocks, on_address: Callable[[str], None]) -> Iterator[ShareLink]:
    """A public link to a launched page, closed at the end; see `ShareLink` for `on_address`.

    Raises:
        SimileError: it could not be opened.
    """
    with tempfile.TemporaryDirectory(prefix="simile-link-") as folder:
        opener = partial(open_gradio_tunnel, page.server_name, page.server_port, Path(folder))
        link = ShareLink(opener, on_address)
        try:
            link.open()
            yield link
        finally:
            link.close()


def open_gradio_tunnel(host: str, port: int, folder: Path, on_news: Callable[[], None]) -> GradioTunnel:
    """Opens a tunnel from Gradio's server, or from that of `GRADIO_SHARE_SERVER_ADDRESS`, to a local port.

    Args:
        folder: keeps the server's certificate for as long as the tunnel runs.
        on_news: called when the client ends or prints another address.

    Raises:
        TunnelError: there is no network, the client cannot be downloaded or started, or it is refused.
    """
    own = networking.GRADIO_SHARE_SERVER_ADDRESS
    # A name of its own: the server may still hold the name of a tunnel that has just dropped.
    name = secrets.token_urlsafe(32)
    try:
        remote, remote_port, certificate = _custom_server(own) if own else _gradio_server(folder)
        tunnel = GradioTunnel(
            remote, remote_port, host, port, name, certificate, secure=not own, on_news=on_news
        )
        tunnel.start_tunnel()
    except ChecksumMismatchError:
        Path(tunneling.BINARY_PATH).unlink(missing_ok=True)  # Gradio would run it the next time
        raise TunnelError(
            "the downloaded tunnel client does not have the checksum that Gradio gives"
        ) from None
    except (OSError, ValueError, LookupError, TypeError, httpx.HTTPError) as error:
        raise TunnelError(f"{type(error).__name__}: {error}") from error
    return tunnel


def _custom_server(address: str) -> tuple[str, int, None]:
    host, _, port = address.rpartition(":")
    return host, int(port), None


def _gradio_server(folder: Path) -> tuple[str, int, str]:
    """Host, port and the path of the certificate of a server that Gradio names."""
    told = httpx.get(networking.GRADIO_API_SERVER, timeout=30).raise_for_status().json()[0]
    handle, certificate = tempfile.mkstemp(suffix=".pem", dir=folder)
    with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 (an open handle has no path)
        file.write(told["root_ca"])
    return told["host"], int(told["port"]), certificate
