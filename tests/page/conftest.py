"""One running demo over a small index of the bundled samples, and a browser, for all tests of the page."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from gradio_client import Client, handle_file
from PIL import Image

from benchmarks.demo_in_chromium import find_chromium

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 60


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small index of every bundled sample.

    `SIMILE_TEST_HOME` names one made before, which saves a minute while working on the page.
    """
    if ready := os.environ.get("SIMILE_TEST_HOME"):
        return Path(ready)
    # One home for all processes that run tests at once: it is only read.
    home = (
        tmp_path_factory.getbasetemp().parent / "page-home"
        if _is_worker()
        else tmp_path_factory.mktemp("home")
    )
    with FileLock(f"{home}.lock"):
        if not (home / "made").exists():
            _index_samples(home)
            (home / "made").touch()
    return home


def _is_worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ


def _index_samples(home: Path) -> None:
    command = [sys.executable, "-m", "ray_jobs.samples", "--home", str(home), "--limit", str(LIMIT)]
    # A Ray of its own: whatever cluster happens to run on this machine is not the test's to use.
    own = {**os.environ, "RAY_ADDRESS": "local"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800, env=own)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="session")
def demo_url(demo_home: Path) -> Iterator[str]:
    """Address of a running demo whose network is loaded, so that no test waits for that."""
    with running("--home", str(demo_home), "--limit", "0") as url:
        grey = np.full((64, 64, 3), 128, np.uint8)
        path = demo_home / "grey.png"
        Image.fromarray(grey).save(path)
        for name in ("cifar10", "wikiart"):
            slow = Client(url, verbose=False, httpx_kwargs={"timeout": 300})
            slow.predict(handle_file(path), name, api_name="/search")
        yield url


@pytest.fixture(scope="session")
def mcp_url(demo_home: Path) -> Iterator[str]:
    """Address of a demo that also answers models, and lets a visitor search 20 times a minute, 10 at once."""
    with running("--home", str(demo_home), "--mcp", "--limit", "20") as url:
        yield url


@pytest.fixture(scope="session")
def client(demo_url: str) -> Client:
    return Client(demo_url, verbose=False)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first painting of the sample: the index holds it. The second is `other.jpg` beside it."""
    rows = pq.read_table(next((ROOT / "samples/wikiart/data").glob("*.parquet"))).slice(0, 2).to_pylist()
    folder = tmp_path_factory.mktemp("pictures")
    for name, row in zip(("painting.jpg", "other.jpg"), rows, strict=True):
        (folder / name).write_bytes(row["image"]["bytes"])
    return folder / "painting.jpg"


class running:  # noqa: N801 (used as a function)
    """`demo.py` in a process, from its first line to its end."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._port = free_port()
        command = [sys.executable, "demo.py", "--port", str(self._port), *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={**os.environ, **environment},
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

    def said(self, start: str, nth: int = 0) -> str:
        """The rest of the first or nth line that starts so, once it is there."""
        for _ in range(1200):
            found = [line for line in self.lines if line.startswith(start)]
            if len(found) > nth:
                return found[nth].removeprefix(start).strip()
            time.sleep(0.1)
        raise AssertionError(f"no line starts with {start!r}: {''.join(self.lines)}")

    def __enter__(self) -> str:
        assert self._ready.wait(600) and self.process.poll() is None, "".join(self.lines)
        return f"http://127.0.0.1:{self._port}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def run_apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """`asyncio.run(function(*arguments))` on a thread of its own: Playwright's loop runs on the tests'."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(function(*arguments))).result()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes a page without collections, in this process; gives a client of it and the page."""
    from gradio.routes import App
    from starlette.testclient import TestClient

    from page.allowed_hosts import AllowedHosts
    from page.app import build
    from page.collection_library import CollectionLibrary
    from page.rate_limit import RateLimit
    from page.serving import app_options

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "files"))
    library = CollectionLibrary(str(tmp_path / "home"))
    with ExitStack() as opened:

        def maker(limit: int = 0, auth: Any = None, hosts: list[str] | None = None, **options: Any) -> Any:
            page = build(library, RateLimit(limit))
            page.auth = auth
            kwargs = app_options(page, library, AllowedHosts(hosts or ()), **options)
            app = App.create_app(page, app_kwargs=kwargs)
            client = TestClient(app, base_url="http://127.0.0.1:7860", client=("127.0.0.1", 50_000))
            opened.enter_context(client)
            client.get("/gradio_api/startup-events")  # starts the queue
            return client, page

        yield maker


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Any]]:
    """Starts Chromium with flags."""
    found = find_chromium()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("no browser: neither Chromium nor Chrome is installed")
        pytest.skip("no Chromium here")
    sync_api = pytest.importorskip("playwright.sync_api")
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    own = ["--no-sandbox", "--disable-background-networking", *camera]
    with sync_api.sync_playwright() as playwright:
        yield lambda *flags: playwright.chromium.launch(executable_path=found, args=[*own, *flags])


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Any]) -> Iterator[Any]:
    """WebGL by the processor alone, as slow as it is where there is no GPU; the map has its own."""
    opened = launch("--disable-gpu")
    yield opened
    opened.close()


@pytest.fixture
def open_page(browser: Any, demo_url: str) -> Iterator[Callable[..., Any]]:
    """Opens the demo at a width, with one of its collections, ready to be used."""
    contexts = []
    problems: list[str] = []

    def opener(
        width: int = 1400,
        height: int = 1000,
        scheme: str = "light",
        collection: str = "WikiArt",
        url: str = demo_url,
        **options: Any,
    ) -> Any:
        size = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(url)
        page.locator("#examples .card").first.wait_for()
        if collection == "WikiArt":
            page.locator("#collection input").click()
            page.get_by_role("option", name="WikiArt").click()
            page.locator("#filters", has_text="Filters").wait_for()
            page.locator("#examples .card:not(.tiny)").first.wait_for()
        return page

    yield opener
    for context in contexts:
        context.close()
    assert not problems


def status(page: Any, text: str, where: str = "#status") -> None:
    """Waits for the line above the hits."""
    page.locator(where, has_text=text).wait_for()


def upload(page: Any, path: Path, panel: str = "search") -> None:
    """Puts a file where pictures are dropped."""
    page.locator(f"#{panel}-drop input[type=file]").set_input_files(str(path))


def hit_pictures(page: Any, grid: str = "#search-hits") -> list[str]:
    """Addresses of the pictures in a grid, in order."""
    return page.locator(f"{grid} .open img").evaluate_all("all => all.map(one => one.getAttribute('src'))")
