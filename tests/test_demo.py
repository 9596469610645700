"""The demo from outside: `python demo.py` as a process, its endpoint, and its page in a browser."""

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 60


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small index of every bundled sample."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "ray_jobs.samples", "--home", str(home), "--limit", str(LIMIT)]
    # A Ray of its own: whatever cluster happens to run on this machine is not the test's to use.
    own = {**os.environ, "RAY_ADDRESS": "local"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, env=own)
    assert done.returncode == 0, done.stderr[-3000:]
    return home


@pytest.fixture(scope="session")
def demo_url(demo_home: Path) -> Iterator[str]:
    """Address of a running demo."""
    with _running("--home", str(demo_home)) as url:
        yield url


@pytest.fixture(scope="session")
def client(demo_url: str) -> Client:
    return Client(demo_url, verbose=False)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first painting of the sample: the index holds it."""
    row = pq.read_table(next((ROOT / "samples/wikiart/data").glob("*.parquet"))).slice(0, 1).to_pylist()[0]
    path = tmp_path_factory.mktemp("pictures") / "painting.jpg"
    path.write_bytes(row["image"]["bytes"])
    return path


class _running:  # noqa: N801 (used as a function)
    """`demo.py` in a process, from its first line to its end."""

    def __init__(self, *arguments: str) -> None:
        self._port = _free_port()
        command = [sys.executable, "demo.py", "--port", str(self._port), *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )
        self.lines: list[str] = []
        self._ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("Simile is at "):
                self._ready.set()
        self._ready.set()

    def __enter__(self) -> str:
        assert self._ready.wait(120) and self.process.poll() is None, "".join(self.lines)
        return f"http://127.0.0.1:{self._port}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _search(client: Client, image: Path | str, collection: str = "wikiart", **others: Any) -> dict[str, Any]:
    return client.predict(image=handle_file(image), collection=collection, api_name="/search", **others)


def _demo(*arguments: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
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
    with pytest.raises(AppError, match="not a readable image"):
        _search(client, bad)


@pytest.mark.parametrize("as_file", [True, False])
def test_addresses_and_paths_are_not_opened(client: Client, demo_home: Path, as_file: bool) -> None:
    """Neither an address that the server would fetch nor a file of the server, however it is put."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(2)
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
    values = [named["image"], named["collection"], None, "cosine", 5, "{}", False]
    url = f"{client.src.rstrip('/')}/gradio_api/call/search"
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps({"data": values}).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        event = json.load(response)["event_id"]
    with urllib.request.urlopen(f"{url}/{event}", timeout=30) as response:
        return response.read().decode()


def test_only_the_search_endpoint_is_public(client: Client) -> None:
    assert list(client.view_api(return_format="dict", print_info=False)["named_endpoints"]) == ["/search"]


# --- the command


def test_malformed_login_is_refused_before_anything_starts() -> None:
    for done in (_demo("--auth", "anna"), _demo("--auth", ":x"), _demo(SIMILE_AUTH="anna:")):
        assert done.returncode == 1
        assert "user:password" in done.stderr and "Traceback" not in done.stderr


def test_login_is_asked_for(demo_home: Path, picture: Path) -> None:
    with _running("--home", str(demo_home), "--auth", "anna:a:b") as url:
        with pytest.raises(Exception, match=r"(?i)auth|login|401"):
            Client(url, verbose=False)
        hits = _search(Client(url, auth=("anna", "a:b"), verbose=False), picture, k=1)["hits"]
    assert len(hits) == 1


def test_taken_port_is_named(demo_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = _demo("--home", str(demo_home), "--port", port)
    assert done.returncode == 1 and port in done.stderr and "Traceback" not in done.stderr


def test_share_without_a_tunnel_fails(demo_home: Path, tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), "http://127.0.0.1:9")
    nowhere |= {
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "HF_HOME": str(tmp_path),
    }
    done = _demo("--home", str(demo_home), "--port", str(_free_port()), "--share", **nowhere)
    assert done.returncode == 1
    assert "no public link could be made" in done.stderr and "Traceback" not in done.stderr
    assert "Simile is at" not in done.stdout


def test_the_page_never_loads_ray() -> None:
    code = "import demo, page.layout, sys; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120).returncode == 0


# --- the page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    names = ("chromium", "google-chrome", "chromium-browser")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"no browser: none of {', '.join(names)} is installed")
        pytest.skip("no Chromium here")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        opened = playwright.chromium.launch(executable_path=found, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any, demo_url: str) -> Iterator[Any]:
    """Opens the demo at a width, ready to be used."""
    contexts = []

    def opener(width: int = 1400, height: int = 1000, scheme: str = "light") -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.goto(demo_url)
        page.locator("#examples .thumbnail-item").first.wait_for()
        return page

    yield opener
    for context in contexts:
        context.close()


def _status(page: Any, text: str) -> None:
    page.locator("#status", has_text=text).wait_for()


def _upload(page: Any, path: Path) -> None:
    page.locator("#query input[type=file]").set_input_files(str(path))


def _choose_wikiart(page: Any) -> None:
    page.locator("#collection input").click()
    page.get_by_role("option", name="WikiArt").click()
    page.locator("#filters").get_by_text("Artist", exact=True).wait_for()


def _picture_shot(page: Any, name: str, *, full_page: bool = False) -> None:
    if folder := os.environ.get("SIMILE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(800)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=full_page)


@pytest.mark.browser
def test_upload_then_more_like_a_hit(open_page: Any, picture: Path) -> None:
    page = open_page()
    _choose_wikiart(page)
    _upload(page, picture)
    _status(page, f"24 of {LIMIT} · embed")
    assert page.locator("#hits .thumbnail-item").count() == 24
    _picture_shot(page, "hits")
    page.locator("#hits .thumbnail-item").nth(2).click()
    page.locator("#larger", has_text="Artist").wait_for()
    _picture_shot(page, "hit")
    first = page.locator("#hits .thumbnail-item img").first.get_attribute("src")
    page.locator("#more").click()
    page.locator("#larger").wait_for(state="hidden")
    page.wait_for_function("was => document.querySelector('#hits img').src !== was", arg=first)
    assert "embed" not in page.locator("#status").inner_text()


@pytest.mark.browser
def test_settings_search_again(open_page: Any) -> None:
    page = open_page()
    _choose_wikiart(page)
    page.locator("#examples .thumbnail-item").nth(1).click()
    _status(page, "cosine · approximate")
    page.locator("#metric").get_by_text("Hamming").click()
    _status(page, "Hamming · approximate")
    assert "bit" in page.locator("#hits .caption-label").first.inner_text()
    page.get_by_text("More options").click()
    page.locator("#exact input").click()
    _status(page, "Hamming · exact")
    page.locator("#filters input").first.click()
    option = page.get_by_role("option").first
    count = int(option.inner_text().rsplit("(", 1)[1].rstrip(") \n"))
    option.click()
    page.locator("#status", has_not_text="24 of").wait_for()
    assert count - 1 <= page.locator("#hits .thumbnail-item").count() <= count
    _picture_shot(page, "filtered")


@pytest.mark.browser
def test_bad_picture_is_one_sentence_and_the_next_one_works(
    open_page: Any, picture: Path, tmp_path: Path
) -> None:
    page = open_page()
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not a picture at all")
    _upload(page, bad)
    _status(page, "not a readable image")
    _upload(page, picture)
    _status(page, "cosine")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_has_no_sideways_scroll(open_page: Any, scheme: str) -> None:
    page = open_page(390, 844, scheme)
    page.locator("#examples .thumbnail-item").first.click()
    _status(page, "cosine")
    page.locator("#hits .thumbnail-item").first.click()
    page.locator("#more").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    _picture_shot(page, f"phone-{scheme}", full_page=True)
