"""A Hugging Face Hub on 127.0.0.1 that serves folders: as much of it as reading datasets and models takes.

It speaks real HTTP, so `huggingface_hub` and `datasets` run unchanged against it when `HF_ENDPOINT` names it
before they are imported.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

API = re.compile(
    r"/api/(?:datasets|models)/(?P<repo>[^/]+/[^/]+)(?:/(?P<verb>revision|tree|paths-info)/(?P<rest>.*))?$"
)
FILE = re.compile(r"/(?:datasets/)?(?P<repo>[^/]+/[^/]+)/resolve/(?P<rest>.*)$")


class HubStandIn:
    """Serves datasets and models, each a folder, under their ids; a context manager.

    Args:
        public: id -> folder. An id may name a branch, `org/name@refs/convert/parquet`.
        private: id -> (token, folder); without that token it looks as if it did not exist.
        gated: the same; without that token its files are refused, and it is said why.

    Attributes:
        endpoint: what to set `HF_ENDPOINT` to.
        requests: "METHOD path" of every request so far, in order.
    """

    def __init__(
        self,
        public: Mapping[str, Path],
        private: Mapping[str, tuple[str, Path]] | None = None,
        gated: Mapping[str, tuple[str, Path]] | None = None,
    ) -> None:
        self.requests: list[str] = []
        self._folders = {name: (None, Path(folder)) for name, folder in public.items()}
        self._gated = set(gated or {})
        kept = {**(private or {}), **(gated or {})}
        self._folders |= {name: (token, Path(folder)) for name, (token, folder) in kept.items()}
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> HubStandIn:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def find(self, repo: str, revision: str, token: str | None) -> tuple[str, Path] | str:
        """(commit, folder) of a repository as the bearer of `token` sees it, or the Hub's error code."""
        branches = {name.partition("@")[2] or "main": name for name in self._folders if _repo(name) == repo}
        if not branches or self._folders[next(iter(branches.values()))][0] not in (None, token):
            return "GatedRepo" if repo in self._gated else "RepoNotFound"
        for branch, name in branches.items():
            commit = hashlib.sha1(name.encode()).hexdigest()
            if revision in (branch, commit):
                return commit, self._folders[name][1]
        return "RevisionNotFound"


def _repo(name: str) -> str:
    return name.partition("@")[0]


class _Handler(BaseHTTPRequestHandler):
    hub: HubStandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer GET and HEAD."""
        self.hub.requests.append(f"{self.command} {self.path}")
        path = urlsplit(self.path).path
        if found := FILE.fullmatch(path):
            self._file(found["repo"], found["rest"])
        elif found := API.fullmatch(path):
            self._api(found["repo"], found["verb"], found["rest"] or "")
        else:
            self._error(404, "EntryNotFound")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Answer paths-info."""
        self.do_GET()

    def _token(self) -> str | None:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") or None

    def _open(self, repo: str, rest: str) -> tuple[str, Path, str] | None:
        """(commit, folder, path in it) for REVISION/PATH, where the revision is quoted as in the real API."""
        quoted, _, inside = rest.partition("/")
        found = self.hub.find(repo, unquote(quoted), self._token())
        if isinstance(found, str):
            # The real one says 401 to a stranger, so as not to give away which private names exist.
            self._error(404 if self._token() or found == "RevisionNotFound" else 401, found)
            return None
        return *found, unquote(inside)

    def _api(self, repo: str, verb: str | None, rest: str) -> None:
        opened = self._open(repo, rest or "main")
        if opened is None:
            return
        commit, folder, inside = opened
        if verb == "tree":
            if not (folder / inside).is_dir():
                self._error(404, "EntryNotFound")
                return
            recursive = "true" in parse_qs(urlsplit(self.path).query.lower()).get("recursive", [])
            entries = sorted((folder / inside).rglob("*") if recursive else (folder / inside).iterdir())
            self._json([_entry(folder, entry) for entry in entries])
        elif verb == "paths-info":
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            wanted = [folder / path for path in form.get("paths", [])]
            self._json([_entry(folder, path) for path in wanted if path.exists()])
        else:
            self._json(_info(repo, commit, folder))

    def _file(self, repo: str, rest: str) -> None:
        opened = self._open(repo, rest)
        if opened is None:
            return
        commit, folder, inside = opened
        if not (folder / inside).is_file():
            self._error(404, "EntryNotFound", commit)
            return
        content = (folder / inside).read_bytes()
        headers = {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._send(200, content, headers)
            return
        start, end = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        self._send(206, content[start : end + 1], headers)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str, commit: str = "") -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": code} | (
            {"X-Repo-Commit": commit} if commit else {}
        )
        self._send(status, json.dumps({"error": code}).encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: `requests` remembers."""


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _entry(folder: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    if path.is_dir():
        return {"type": "directory", "oid": _oid(name.encode()), "size": 0, "path": name}
    content = path.read_bytes()
    return {"type": "file", "oid": _oid(content), "size": len(content), "path": name}


def _info(repo: str, commit: str, folder: Path) -> dict[str, Any]:
    import yaml

    files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    readme = folder / "README.md"
    parts = readme.read_text().split("---\n") if readme.exists() else []
    card = yaml.safe_load(parts[1]) if len(parts) > 2 else None
    siblings = [{"rfilename": file} for file in files]
    return {"id": repo, "sha": commit, "private": False, "siblings": siblings, "cardData": card, "tags": []}
