"""Hostile visitors of benchmarks.crowd: what strangers tried on a public page, one thing after the other.

Everything goes to the page on this machine. Whatever it answers is only counted: the benchmark judges how the
honest visitors fare meanwhile.
"""

import base64
import io
import json
import secrets
import socket
import struct
import time
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
from PIL import Image

__all__ = ["Hostile", "bomb_gif", "bomb_png", "bomb_webp"]

_PATIENCE = 20.0  # seconds for an answer
_BIG = 40_000_000  # bytes of a body
_AT_ONCE = 5  # requests of a kind, one after the other
_SIDES = (16_000, 6_000)  # pixels of a bomb
_FORBIDDEN = (
    "GET /gradio_api/file=http://127.0.0.1:9/a.png",
    "GET /gradio_api/file=https://example.invalid/a.png",
    "GET /gradio_api/file=/etc/passwd",
    "GET /gradio_api/proxy=http://127.0.0.1:9/",
    "GET /gradio_api/run-history/records",
    "POST /gradio_api/process_recording",
    "POST /gradio_api/component_server",
    "GET /monitoring/summary",
    "GET /metrics",
)
_WRONG_VALUES: tuple[dict[str, Any], ...] = (
    {"filters": '{"artist": null}'},
    {"filters": '{"artist": {"gt": 1}}'},
    {"filters": "[" * 100_000},
    {"k": "5"},
    {"k": 1e308},
    {"metric": {"a": 1}},
    {"collection": "../../etc\x1b[31m"},
    {"image": "http://127.0.0.1:9/a.png"},
    {"encoder": "x" * 100_000},
)


def bomb_webp() -> bytes:
    """34 bytes that a decoder makes 16,000 × 6,000 pixels of: lossless WebP, five codes of one symbol."""
    width, height = _SIDES
    size = (width - 1) | (height - 1) << 14  # no alpha, version 0
    bits = "000" + "1000" * 5  # no transform, no cache, no groups; each code: simple, one symbol, of 1 bit, 0
    codes = int(bits[::-1], 2).to_bytes(3, "little")
    body = b"\x2f" + struct.pack("<I", size) + codes + bytes(6)  # decoders want to read some bytes ahead
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body


def bomb_png() -> bytes:
    """Some 100 kB that a decoder makes 16,000 × 6,000 pixels of."""
    width, height = _SIDES

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + width)) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def bomb_gif() -> bytes:
    """A GIF of one pixel whose header says that its canvas has 65,000 × 65,000."""
    into = io.BytesIO()
    Image.new("L", (1, 1)).save(into, "GIF")
    made = bytearray(into.getvalue())
    made[6:10] = struct.pack("<HH", 65_000, 65_000)
    return bytes(made)


class Hostile:
    """One hostile visitor, with an address of his own."""

    def __init__(self, url: str, address: str, collection: str) -> None:
        self._url, self._address, self._collection = url, address, collection
        self._http = httpx.Client(headers={"X-Forwarded-For": address}, timeout=_PATIENCE)
        bombs = (bomb_webp(), bomb_png(), bomb_gif())
        self._bombs = [base64.b64encode(bomb).decode() for bomb in bombs]
        self._raw_bombs = bombs
        told = self._http.get(f"{url}/gradio_api/info").raise_for_status().json()["named_endpoints"]
        self._arguments = {
            name.removeprefix("/"): {
                each["parameter_name"]: each.get("parameter_default") for each in about["parameters"]
            }
            for name, about in told.items()
        }
        self.answers: Counter[str] = Counter()  # `bombs 200` -> how often

    def visit(self, until: Callable[[], bool], pause: float) -> None:
        """Tries one thing after the other, over and over."""
        while not until():
            for attack in (
                self._addresses,
                self._bombs_in_base64,
                self._bombs_as_uploads,
                self._big_bodies,
                self._fresh_sessions,
                self._odd_hosts,
                self._broken_off_uploads,
                self._wrong_values,
                self._other_files,
            ):
                if until():
                    return
                attack()
                time.sleep(pause)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    # --- what is tried

    def _addresses(self) -> None:
        for line in _FORBIDDEN:
            method, path = line.split(" ", 1)
            self._send("addresses", method, path)
        fetched = {"path": "http://127.0.0.1:9/a.png", "meta": {"_type": "gradio.FileData"}}
        self._send("addresses", "POST", "/gradio_api/call/search", json={"data": [fetched, self._collection]})

    def _bombs_in_base64(self) -> None:
        for bomb in self._bombs:
            self._call("bombs", "search_image", image=bomb)
        self._call("bombs", "recommend", likes=[self._bombs[0]] * 64)

    def _bombs_as_uploads(self) -> None:
        for bomb in self._raw_bombs:
            self._send("bombs", "POST", "/gradio_api/upload", files={"files": ("a.png", bomb)})

    def _big_bodies(self) -> None:
        for path in ("/gradio_api/queue/join", "/gradio_api/run/search_image", "/login", "/gradio_api/reset"):
            self._send("bodies", "POST", path, content=b'{"data": ["' + b"A" * _BIG + b'"]}')

    def _fresh_sessions(self) -> None:
        for _ in range(_AT_ONCE * 4):
            asked = {"data": [None, None, False], "fn_index": 11, "session_hash": secrets.token_hex(6)}
            self._send("sessions", "POST", "/gradio_api/queue/join", json=asked)

    def _odd_hosts(self) -> None:
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost:1@evil.example", ""):
            self._send("hosts", "GET", "/config", headers={"Host": host})

    def _broken_off_uploads(self) -> None:
        where = urlsplit(self._url)
        head = (
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {where.netloc}\r\n"
            f"X-Forwarded-For: {self._address}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 19000000\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        )
        for _ in range(_AT_ONCE):
            try:
                with socket.create_connection((where.hostname, where.port), _PATIENCE) as connection:
                    connection.sendall(head.encode() + b"\x89PNG\r\n\x1a\n" + bytes(1_000_000))
                self.answers["broken off, sent"] += 1
            except OSError as error:
                self.answers[f"broken off, {type(error).__name__}"] += 1

    def _wrong_values(self) -> None:
        for values in _WRONG_VALUES:
            self._call("values", "search_image", **({"image": self._bombs[2]} | values))
        for text in ("[" * 200_000, "{}", '{"data": null}', "\0"):
            self._send("values", "POST", "/gradio_api/call/search_image", content=text.encode())

    def _other_files(self) -> None:
        for _ in range(_AT_ONCE):
            page = b"<script>alert(1)</script>" + secrets.token_bytes(100_000)
            self._send("files", "POST", "/gradio_api/upload", files={"files": ("a.html", page)})

    # ---

    def _call(self, kind: str, endpoint: str, **values: Any) -> None:
        """Calls an endpoint past the queue, then through it, and waits for the result."""
        named = self._arguments[endpoint] | {"collection": self._collection} | values
        body = json.dumps({"data": list(named.values())}).encode()
        asked = {"content": body, "headers": {"Content-Type": "application/json"}}
        self._send(kind, "POST", f"/gradio_api/run/{endpoint}", **asked)
        queued = self._send(kind, "POST", f"/gradio_api/call/{endpoint}", **asked)
        if queued is not None and queued.status_code == 200:
            self._send(kind, "GET", f"/gradio_api/call/{endpoint}/{queued.json()['event_id']}")

    def _send(self, kind: str, method: str, path: str, **what: Any) -> httpx.Response | None:
        """Sends a request, and counts its status, or what kept it from having one."""
        try:
            answer = self._http.request(method, f"{self._url}{path}", **what)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self.answers[f"{kind}, {type(error).__name__}"] += 1
            return None
        self.answers[f"{kind}, {answer.status_code}"] += 1
        return answer
