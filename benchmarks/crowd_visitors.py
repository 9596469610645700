"""Honest visitors of benchmarks.crowd: each does, in a random order, what the page lets visitors do."""

import base64
import json
import random
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from gradio_client import Client, handle_file
from PIL import Image

__all__ = ["ACTS", "Done", "Visitor", "write_pictures"]

_PATIENCE = 120.0  # seconds until an honest visitor takes the page for broken
_HITS = 24
_BOX = "[0.1, 0.2, 0.7, 0.9]"
# How often each thing is done, as shares.
ACTS = {
    "open": 2,
    "upload": 6,
    "page": 6,
    "box": 4,
    "likes": 4,
    "more": 3,
    "why": 2,
    "map": 2,
    "export": 2,
    "compare": 2,
    "facets": 2,
    "collections": 1,
}
_SEARCHES = {"upload", "page", "box", "likes", "more", "export", "compare"}


@dataclass(frozen=True)
class Done:
    """One thing that a visitor did; `error` is empty where it went well."""

    what: str
    seconds: float
    error: str = ""

    @property
    def is_search(self) -> bool:
        """Whether its time counts as that of a search."""
        return self.what in _SEARCHES


def write_pictures(folder: Path, count: int) -> list[Path]:
    """So many JPEGs of coloured patches, of 640 × 480 pixels and some 30 kB."""
    paths = [folder / f"{seed}.jpg" for seed in range(count)]
    for seed, path in enumerate(paths):
        patches = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(patches).resize((640, 480), Image.Resampling.BICUBIC).save(path, "JPEG")
    return paths


class Visitor:
    """One visitor, with an address of his own, who has the page open and also calls its endpoints.

    Args:
        address: whose word the page's proxy would pass on; the benchmark stands in for the proxy.
        collections: name -> fields that can be filtered, of what is searched.
    """

    def __init__(
        self, url: str, address: str, collections: dict[str, list[str]], pictures: list[Path], seed: int
    ) -> None:
        self._url, self._pictures, self._random = url, pictures, random.Random(seed)
        self._fields = collections
        headers = {"X-Forwarded-For": address}
        self._closing = ExitStack()
        self._http = self._closing.enter_context(httpx.Client(headers=headers, timeout=_PATIENCE))
        self._client = Client(
            url,
            headers=headers,
            verbose=False,
            download_files=False,
            analytics_enabled=False,
            httpx_kwargs={"timeout": _PATIENCE},
        )
        self._closing.callback(self._client.close)
        self._session = secrets.token_hex(6)
        # An open page keeps this connection; its state lives as long.
        beat = self._http.stream("GET", f"{url}/gradio_api/heartbeat/{self._session}")
        self._closing.enter_context(beat)
        self._found: dict[str, list[str]] = {}  # collection -> ids of hits
        self.uploaded = 0  # bytes
        self.done: list[Done] = []

    def visit(self, until: Callable[[], bool], pause: float) -> None:
        """Does one thing after the other, with a pause of some `pause` seconds between two."""
        names, shares = list(ACTS), list(ACTS.values())
        wait = self._random.uniform(0, pause)  # so that not all come at once
        while not until():
            time.sleep(min(wait, 1.0))
            wait -= 1.0
            if wait > 0:
                continue
            self._do(self._random.choices(names, shares)[0])
            wait = self._random.expovariate(1 / pause)

    def do_all(self) -> None:
        """Does each thing once."""
        for name in ACTS:
            self._do(name)

    def close(self) -> None:
        """Closes the page and the client."""
        self._closing.close()

    def _do(self, name: str) -> None:
        collection = self._random.choice(list(self._fields))
        picture = self._random.choice(self._pictures)
        start, error = time.perf_counter(), ""
        try:
            getattr(self, f"_{name}")(collection, picture)
        except Exception as failed:  # whatever goes wrong for an honest visitor is what is counted
            error = f"{name}: {type(failed).__name__}: {str(failed)[:200]}"
        self.done.append(Done(name, time.perf_counter() - start, error))

    # --- what there is to do

    def _open(self, collection: str, picture: Path) -> None:
        for path in ("/", "/config", "/theme.css", f"/?collection={collection}"):
            self._http.get(f"{self._url}{path}").raise_for_status()

    def _upload(self, collection: str, picture: Path) -> None:
        self.uploaded += picture.stat().st_size
        answer = self._ask("search", handle_file(picture), collection, k=_HITS)
        self._remember(collection, answer)

    def _box(self, collection: str, picture: Path) -> None:
        image = _base64(picture)
        self._remember(
            collection, self._ask("search_image", image, collection, k=_HITS, box=_BOX, thumbnails=True)
        )

    def _likes(self, collection: str, picture: Path) -> None:
        likes, dislikes = self._hits(collection)[:2], self._hits(collection)[-1:]
        self._remember(
            collection, self._ask("recommend", likes, collection, dislikes, k=_HITS, diversity=0.3)
        )

    def _more(self, collection: str, picture: Path) -> None:
        self._remember(
            collection,
            self._ask("search_by_id", self._hit(collection), collection, k=_HITS, offset=_HITS),
        )

    def _why(self, collection: str, picture: Path) -> None:
        first, second = self._hits(collection)[:2]
        told = self._ask("explain", second, collection, id=first)
        _check(bool(told["query_heat"]) and len(told["standings"]) > 0, "no reasons")

    def _map(self, collection: str, picture: Path) -> None:
        _check(len(self._ask("map", collection, k=200)["places"]) > 0, "an empty map")

    def _export(self, collection: str, picture: Path) -> None:
        kind = self._random.choice(["csv", "json"])
        _check(self._ask("export", self._hit(collection), collection, kind)["hits"] > 0, "an empty export")

    def _compare(self, collection: str, picture: Path) -> None:
        _check(len(self._ask("compare", self._hit(collection), collection)["left"]) > 0, "nothing compared")

    def _facets(self, collection: str, picture: Path) -> None:
        for field in self._fields[collection][:1]:
            _check(len(self._ask("facets", collection, field)["values"]) > 0, "no values")

    def _collections(self, collection: str, picture: Path) -> None:
        _check(len(self._ask("collections")["collections"]) > 0, "no collections")

    def _page(self, collection: str, picture: Path) -> None:
        """What the browser sends when a picture is dropped on the page."""
        self.uploaded += picture.stat().st_size
        files = {"files": (picture.name, picture.read_bytes(), "image/jpeg")}
        sent = self._http.post(f"{self._url}/gradio_api/upload", files=files).raise_for_status()
        dropped = {"path": sent.json()[0], "orig_name": picture.name, "meta": {"_type": "gradio.FileData"}}
        self._event("take_upload", {0: dropped})
        _check("card" in self._event("find", {2: collection}), "a search of the page shows no hits")

    # ---

    def _ask(self, endpoint: str, *values: Any, **named: Any) -> dict[str, Any]:
        return self._client.predict(*values, api_name=f"/{endpoint}", **named)

    def _remember(self, collection: str, answer: dict[str, Any]) -> None:
        _check(len(answer["hits"]) > 0, "a search found nothing")
        self._found[collection] = [hit["id"] for hit in answer["hits"]]

    def _hits(self, collection: str) -> list[str]:
        if len(self._found.get(collection, [])) < 2:
            self._upload(collection, self._pictures[0])
        return self._found[collection]

    def _hit(self, collection: str) -> str:
        return self._random.choice(self._hits(collection))

    def _event(self, handler: str, values: dict[int, Any]) -> str:
        """Sends an event of the page, with the components' first values besides those that are given.

        Returns:
            The answer as JSON.

        Raises:
            RuntimeError: it was refused or it failed.
        """
        config = self._client.config
        event = next(one for one in config["dependencies"] if one["api_name"] == handler)
        initial = {one["id"]: one["props"].get("value") for one in config["components"]}
        data = [values.get(at, initial.get(block)) for at, block in enumerate(event["inputs"])]
        asked = {"data": data, "fn_index": event["id"], "session_hash": self._session}
        joined = self._http.post(f"{self._url}/gradio_api/queue/join", json=asked)
        _check(joined.status_code == 200, f"{handler} was answered {joined.status_code}: {joined.text[:100]}")
        where = f"{self._url}/gradio_api/queue/data"
        with self._http.stream("GET", where, params={"session_hash": self._session}) as answer:
            for line in answer.iter_lines():
                told = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if told.get("msg") == "process_completed":
                    _check(told["success"], f"{handler}: {told['output']}")
                    return json.dumps(told["output"])
        raise RuntimeError(f"{handler} got no answer")


def _base64(picture: Path) -> str:
    return base64.b64encode(picture.read_bytes()).decode()


def _check(good: bool, otherwise: str) -> None:
    if not good:
        raise RuntimeError(otherwise)
