"""Visitors and programs of benchmarks.page: what they send, with as little work of their own as can be.

They work with any version of the page: a visitor's session reads from the page's own configuration which
events follow a change of state, as the page's scripts do.
"""

import base64
import http.client
import json
import re
import secrets
from typing import Any
from urllib.parse import urlsplit

__all__ = ["PageSession", "ProgramSession"]

_PATIENCE = 120.0  # seconds
_PICTURE = re.compile(r'<img src=\\?"([^"\\]+)')
_API = "/gradio_api"
_UPLOADED = "gradio.FileData"
_JSON = "application/json"
_HITS = 24


class _Connection:
    """Requests to one page over a connection that is kept."""

    def __init__(self, url: str) -> None:
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE)
        self.moved = 0  # bytes of all answers

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = _JSON) -> bytes:
        """The body of the answer.

        Raises:
            RuntimeError: it broke off twice, or has another status than 200.
        """
        answer, data = self._once(method, path, body, kind) or self._again(method, path, body, kind)
        self.moved += len(data)
        if answer.status != 200:
            raise RuntimeError(f"{path[:60]} was answered {answer.status}: {data[:200]!r}")
        return data

    def _once(
        self, method: str, path: str, body: bytes | None, kind: str
    ) -> tuple[http.client.HTTPResponse, bytes] | None:
        """None where the page has closed the connection, as it does after some idle seconds."""
        try:
            self._http.request(method, path, body, {"Content-Type": kind} if body else {})
            answer = self._http.getresponse()
            return answer, answer.read()
        except (http.client.HTTPException, ConnectionError):
            self._http.close()  # the next request opens it anew
            return None

    def _again(
        self, method: str, path: str, body: bytes | None, kind: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """As a browser does, once."""
        found = self._once(method, path, body, kind)
        if found is None:
            raise RuntimeError(f"{method} {path[:60]} broke off twice")
        return found

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()


class ProgramSession:
    """A program that calls the endpoint `/search_image`, with pictures in the answer."""

    def __init__(self, url: str, config: dict[str, Any], collection: str | None = None) -> None:
        self._connection = _Connection(url)
        event = next(one for one in config["dependencies"] if one["api_name"] == "search_image")
        usual = {one["id"]: one["props"].get("value") for one in config["components"]}
        self._values = [usual.get(block) for block in event["inputs"]]
        self._values[1] = collection or _collection_box(config)["props"]["value"]
        self._values[3], self._values[7] = _HITS, True  # k, and thumbnails

    @property
    def moved(self) -> int:
        """Bytes of all answers."""
        return self._connection.moved

    def search(self, picture: bytes) -> int:
        """The number of hits.

        Raises:
            RuntimeError: the search failed, or there are no hits.
        """
        image = base64.b64encode(picture).decode()
        body = json.dumps({"data": [image, *self._values[1:]]}).encode()
        number = json.loads(self._connection.ask("POST", f"{_API}/call/search_image", body))["event_id"]
        said = self._connection.ask("GET", f"{_API}/call/search_image/{number}").decode()
        event, _, data = said.strip().rpartition("\n")
        found = json.loads(data.removeprefix("data: "))
        if "complete" not in event or not found[0]["hits"]:
            raise RuntimeError(f"a search failed: {data[:200]}")
        return len(found[0]["hits"])

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


class PageSession:
    """One open page of a visitor.

    Args:
        url: of the page.
        config: of the page, as GET /config answers it.
        collection: to search in; the page's first one where it is None.
    """

    def __init__(self, url: str, config: dict[str, Any], collection: str | None = None) -> None:
        self._connection = _Connection(url)
        self._session = secrets.token_hex(6)
        self._events = {one["id"]: one for one in config["dependencies"]}
        self._values = {one["id"]: one["props"].get("value") for one in config["components"]}
        if collection is not None:
            self._values[_collection_box(config)["id"]] = collection
        self._pictures: set[str] = set()  # addresses that a browser has in its cache
        # An open page keeps this connection, and the page keeps a state for as long.
        self._heartbeat = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE)
        self._heartbeat.request("GET", f"{_API}/heartbeat/{self._session}")
        self._heartbeat.getresponse()

    @property
    def moved(self) -> int:
        """Bytes of all answers."""
        return self._connection.moved

    def search(self, picture: bytes) -> int:
        """Drops a picture on the page and waits for the hits and their pictures; the number of pictures.

        Raises:
            RuntimeError: an event failed, or there are no hits.
        """
        answers = self._run([(self._named("take_upload"), {0: self._upload(picture)})])
        shown = [address for text in answers for address in _PICTURE.findall(text)]
        if len(shown) < 2:
            raise RuntimeError(f"a search found nothing: {' '.join(answers)[:300]}")
        for address in dict.fromkeys(shown):
            if address not in self._pictures:
                self._connection.ask("GET", f"/{address}")
                self._pictures.add(address)
        return len(shown)

    def close(self) -> None:
        """Closes the page."""
        self._connection.close()
        self._heartbeat.close()

    def _named(self, handler: str) -> int:
        return next(number for number, one in self._events.items() if one["api_name"] == handler)

    def _upload(self, picture: bytes) -> dict[str, Any]:
        boundary = secrets.token_hex(8)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="p.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        body = head.encode() + picture + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        path = json.loads(self._connection.ask("POST", f"{_API}/upload", body, kind))[0]
        return {"path": path, "orig_name": "p.jpg", "meta": {"_type": _UPLOADED}}

    def _run(self, events: list[tuple[int, dict[int, Any]]]) -> list[str]:
        """Sends events with the values that are given, then those that follow from what they changed.

        Returns:
            The answers as JSON.
        """
        answers: list[str] = []
        while events:
            for number, given in events:
                inputs = self._events[number]["inputs"]
                data = [given.get(at, self._values.get(block)) for at, block in enumerate(inputs)]
                asked = {"data": data, "fn_index": number, "session_hash": self._session}
                joined = self._connection.ask("POST", f"{_API}/queue/join", json.dumps(asked).encode())
                if "event_id" not in json.loads(joined):
                    raise RuntimeError(f"an event was refused: {joined.decode()[:200]}")
            changed: list[int] = []
            for output in self._outputs():
                answers.append(json.dumps(output.get("data"), ensure_ascii=False))
                changed += output.get("changed_state_ids") or []
            events = [(number, {}) for number in self._following(changed)]
        return answers

    def _outputs(self) -> list[dict[str, Any]]:
        outputs = []
        for line in self._connection.ask(
            "GET", f"{_API}/queue/data?session_hash={self._session}"
        ).splitlines():
            told = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
            if told.get("msg") == "process_completed":
                if not told["success"]:
                    raise RuntimeError(f"an event failed: {told['output']}")
                outputs.append(told["output"])
        return outputs

    def _following(self, changed: list[int]) -> list[int]:
        """Events of the page that a browser sends when these states have changed."""
        return [
            number
            for number, one in self._events.items()
            if one["backend_fn"] and any([state, "change"] in one["targets"] for state in changed)
        ]


def _collection_box(config: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in config["components"] if one["props"].get("elem_id") == "collection")
