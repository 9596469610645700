"""The demo from outside: `python demo.py` as a process, and its endpoint."""

import base64
import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import demo
from pipeline.errors import SimileError
from pipeline.home import SEARCHABLE, store_folder, unfinished_samples
from pipeline.store import open_store
from pipeline.store.versions import read_version
from tests.page.conftest import LIMIT, ROOT, free_port, running
from tests.stand_ins import tunnel


def _search(client: Client, image: Path | str, collection: str = "wikiart", **others: Any) -> dict[str, Any]:
    return client.predict(image=handle_file(image), collection=collection, api_name="/search", **others)


def _demo(*arguments: str, timeout: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "demo.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        env={**os.environ, **environment},
    )


# --- the endpoint


@pytest.mark.parametrize("metric", ["cosine", "hamming"])
def test_a_picture_finds_itself_first(client: Client, picture: Path, metric: str) -> None:
    answer = _search(client, picture, metric=metric, k=5)
    hits = answer["hits"]
    assert len(hits) == 5 and answer["metric"] == metric and answer["collection"] == "wikiart"
    assert hits[0]["score"] > 0.97 and hits[0]["score"] > hits[1]["score"]
    head, _, body = hits[0]["thumbnail"].partition(",")
    assert head.startswith("data:image/")
    shown = Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB").resize((8, 8))
    given = Image.open(picture).convert("RGB").resize((8, 8))
    apart = [abs(a - b) for a, b in zip(shown.tobytes(), given.tobytes(), strict=True)]
    assert sum(apart) / len(apart) < 4
    assert [hit["distance"] for hit in hits] == sorted(hit["distance"] for hit in hits)
    assert answer["embed_ms"] > 0 and answer["search_ms"] > 0


def test_filters_hold_for_every_hit(client: Client, picture: Path) -> None:
    style = _search(client, picture, k=1)["hits"][0]["payload"]["style"]
    hits = _search(client, picture, k=LIMIT, filters=f'{{"style": ["{style}"]}}', exact=True)["hits"]
    assert 0 < len(hits) < LIMIT
    assert {hit["payload"]["style"] for hit in hits} == {style}


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"filters": "{oops"}, "not JSON"),
        ({"filters": '["cat"]'}, "JSON object"),
        ({"filters": '{"nothing": "x"}'}, "nothing"),
        ({"metric": "euclid"}, "cosine, hamming"),
        ({"k": 0}, "from 1 to 100"),
        ({"encoder": "vgg"}, "vgg"),
    ],
)
def test_wrong_settings_are_explained(
    client: Client, picture: Path, others: dict[str, Any], said: str
) -> None:
    with pytest.raises(AppError, match=said) as caught:
        _search(client, picture, **others)
    assert "Traceback" not in str(caught.value)


def test_unknown_collection_names_those_there(client: Client, picture: Path) -> None:
    with pytest.raises(AppError, match=r"wikart.*cifar10, wikiart"):
        _search(client, picture, "wikart")


def test_bad_upload_is_one_sentence(client: Client, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not a picture at all")
    with pytest.raises(httpx.HTTPStatusError, match="415") as refused:
        _search(client, bad)
    assert "isn't a picture we can open; choose another one (JPEG, PNG" in refused.value.response.text
    bad.write_bytes(b"\xff\xd8\xff\xe0 cut short")
    with pytest.raises(AppError, match="copy or download it again"):
        _search(client, bad)


@pytest.mark.parametrize("as_file", [True, False])
def test_addresses_and_paths_are_not_opened(client: Client, demo_home: Path, as_file: bool) -> None:
    """Neither an address that the server would fetch nor a file of the server, however it is put."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)  # whoever is answered has been served
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x.png"
        local = next(path for path in demo_home.rglob("*") if path.is_file())
        for path in (address, str(local)):
            image: dict[str, Any] = {"path": path, "url": path}
            if as_file:
                image["meta"] = {"_type": "gradio.FileData"}
            asked.append(_call(client, {"image": image, "collection": "wikiart"}))
        with pytest.raises(TimeoutError):
            listener.accept()
    assert all("event: error" in answer and "uploaded pictures" in answer for answer in asked), asked


def _call(client: Client, named: dict[str, Any]) -> str:
    """The endpoint over plain HTTP: gradio_client would upload the file first."""
    values = [named["image"], named["collection"], None, "cosine", 5, "{}", False, 0]
    url = f"{client.src.rstrip('/')}/gradio_api/call/search"
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps({"data": values}).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        event = json.load(response)["event_id"]
    with urllib.request.urlopen(f"{url}/{event}", timeout=30) as response:
        return response.read().decode()


# --- the command


def test_malformed_login_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = _demo("--auth", "anna")
    assert done.returncode == 1
    assert "user:password" in done.stderr and "Traceback" not in done.stderr
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(demo, "ensure_collections", lambda *_: pytest.fail("it went on"))
    assert demo.main(["--auth", ":x"]) == 1
    assert "user:password" in capsys.readouterr().err
    monkeypatch.setenv("SIMILE_AUTH", "anna:")
    assert demo.main([]) == 1
    assert "user:password" in capsys.readouterr().err


def test_login_is_asked_for(demo_home: Path, picture: Path) -> None:
    with running("--home", str(demo_home), "--auth", "anna:a:b") as url:
        with pytest.raises(Exception, match=r"(?i)auth|login|401"):
            Client(url, verbose=False)
        hits = _search(Client(url, auth=("anna", "a:b"), verbose=False), picture, k=1)["hits"]
    assert len(hits) == 1


def test_taken_port_is_named(demo_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = _demo("--home", str(demo_home), "--port", port)
    assert done.returncode == 1 and port in done.stderr and "Traceback" not in done.stderr


@pytest.mark.long
def test_share_without_a_tunnel_fails(demo_home: Path, tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), "http://127.0.0.1:9")
    nowhere |= {
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "HF_HOME": str(tmp_path),
    }
    done = _demo("--home", str(demo_home), "--port", str(free_port()), "--share", **nowhere)
    assert done.returncode == 1
    assert "no public link could be made" in done.stderr and "Traceback" not in done.stderr
    assert "Simile is at" not in done.stdout


@pytest.mark.long
def test_a_shared_link_is_searched_says_when_it_expires_and_is_opened_again(
    demo_home: Path, picture: Path, tmp_path: Path
) -> None:
    shared = running("--home", str(demo_home), "--share", "--limit", "6", **tunnel.install(tmp_path))
    with shared as own:
        link = shared.said("Public link: ").replace("https:", "http:")  # the stand-in has no certificate
        assert link != own
        assert len(_search(Client(link, verbose=False), picture, k=3)["hits"]) == 3
        until = shared.said("It expires on ")
        day = datetime.strptime(" ".join(until.split()[1:4]), "%d %B %Y").date()
        assert timedelta(6) <= day - date.today() <= timedelta(8) and "when this program ends" in until
        with httpx.Client(base_url=link) as stranger:
            assert stranger.get("/robots.txt").text.endswith("Disallow: /"), (
                "it is for those who are given it"
            )
            assert stranger.get("/health", headers={"Host": "evil.example"}).status_code == 400
            assert _told_to_wait(stranger)
        (client,) = psutil.Process(shared.process.pid).children()
        client.kill()
        again = shared.said("Public link: ", 1).replace("https:", "http:")
        assert again != link and httpx.get(f"{again}/health").status_code == 200
        link = again
    with pytest.raises(OSError):
        urllib.request.urlopen(link, timeout=10)


def _told_to_wait(stranger: httpx.Client) -> bool:
    """Whether one who calls as somebody else each time is refused: 30 may come through the tunnel at once."""
    for caller in range(60):  # a slow machine is given more in the meantime
        address = {"X-Forwarded-For": f"192.0.2.{caller}"}
        asked = stranger.post("/gradio_api/call/collections", json={"data": []}, headers=address)
        event = asked.json()["event_id"]
        if "too many searches" in stranger.get(f"/gradio_api/call/collections/{event}").text:
            return True
    return False


def test_every_default_network_is_warmed_once_and_one_that_fails_keeps_no_other_waiting() -> None:
    warmed: list[str] = []

    class Found:
        def __init__(self, name: str) -> None:
            self.name, self.encoders = name, ["shared" if name in ("a", "c") else name]

        def warm_up(self) -> None:
            if self.name == "b":
                raise SimileError("weights are gone")
            warmed.append(self.name)

        def learn_own_kind(self) -> None:
            learnt.append(self.name)

    learnt: list[str] = []
    library = SimpleNamespace(names=lambda: list("abcdefgh"), open=Found)
    demo._warm_up(library)  # type: ignore[arg-type]
    assert warmed == ["a", "d", "e", "f"], "as many networks as stay in memory"
    assert learnt == ["c"], "its network is there already"


def test_the_page_never_loads_ray() -> None:
    code = "import demo, page.app, sys; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120).returncode == 0


@pytest.mark.parametrize("why", ["", "cut short", "other networks"])
def test_samples_are_indexed_again_if_that_was_cut_short_or_if_the_networks_are_others(
    demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    home = tmp_path / "own"
    shutil.copytree(store_folder(str(demo_home)), store_folder(str(home)), symlinks=True)
    if why == "cut short":
        unfinished_samples(str(home)).touch()
    if why == "other networks":
        store = open_store(str(home))
        version = store.aliases()["wikiart"]
        manifest = read_version(store, version).manifest
        first, *others = manifest.encoders
        earlier = first.model_copy(update={"fingerprint": "0" * 16})
        store.write_manifest(version, manifest.model_copy(update={"encoders": (earlier, *others)}))
        store.release(version)
    ran: list[list[str]] = []

    class Job(contextlib.nullcontext[Any]):
        """It goes on for ever after the samples can be searched, as when maps take long."""

        def __init__(self, command: list[str], **_: Any) -> None:
            super().__init__(self)
            ran.append(command)
            unfinished_samples(str(home)).write_text(SEARCHABLE)

        def poll(self) -> None:
            return None

        def terminate(self) -> None:
            ran.append(["stopped"])

    monkeypatch.setattr("page.bundled_samples.subprocess.Popen", Job)
    with demo.ensure_collections(str(home), None):
        assert [command[2] for command in ran] == (["ray_jobs.samples"] if why else [])
    assert ran[1:] == ([["stopped"]] if why else [])
