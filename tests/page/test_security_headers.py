"""What a browser is told: no script but the page's own runs, no stranger frames it, cookies stay here."""

import re
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from page.collection_library import CollectionLibrary
from page.security_headers import SecurityHeaders, policy
from page.serving import app_options
from tests.page.conftest import running, status, upload

LOGIN = {"username": "anna", "password": "b"}
ALL = ("/health", "/nothing/there", "/gradio_api/info", "/gradio_api/file=/etc/passwd", "/gradio_api/app_id")


def cookies(answer: Any) -> dict[str, set[str]]:
    """Name of each cookie that is set -> its attributes, in small letters."""
    parts = [one.lower().split("; ") for one in answer.headers.get_list("set-cookie")]
    return {first.partition("=")[0]: set(rest) for first, *rest in parts}


def test_every_answer_has_them(strangers: Any) -> None:
    client, _ = strangers()
    for path in ALL:
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "same-origin" and "content-security-policy" in headers, path
        if "file=" not in path:
            assert "frame-ancestors 'self'" in headers["content-security-policy"]
    refused = client.get("/health", headers={"Host": "evil.example"})
    assert refused.status_code == 400 and "content-security-policy" in refused.headers


def test_a_file_runs_nothing(strangers: Any) -> None:
    client, _ = strangers()
    told = client.get("/gradio_api/file=/etc/passwd").headers["content-security-policy"]
    assert "default-src 'none'" in told and "sandbox" in told and "script-src" not in told


def test_answers_come_compressed_and_scripts_keep_their_nonce(strangers: Any) -> None:
    client, page = strangers()
    told = client.get("/gradio_api/info", headers={"Accept-Encoding": "gzip"})
    assert told.headers["content-encoding"] == "gzip" and "/search_image" in told.text
    assert "content-encoding" not in client.get("/health", headers={"Accept-Encoding": "gzip"}).headers

    def html(_: Request) -> HTMLResponse:
        return HTMLResponse("<script>1</script>" + "a page " * 1000)

    ours = {SecurityHeaders, GZipMiddleware}
    order = [one for one in app_options(page, CollectionLibrary())["middleware"] if one.cls in ours]
    answer = TestClient(Starlette(routes=[Route("/", html)], middleware=order)).get("/")
    assert answer.headers["content-encoding"] == "gzip"
    nonce = re.search("nonce-([^']+)'", answer.headers["content-security-policy"])
    assert nonce and f'<script nonce="{nonce[1]}">1' in answer.text


def test_scripts_run_by_a_nonce_that_is_new_each_time() -> None:
    told = dict(part.split(" ", 1) for part in policy("abc", ["https://huggingface.co"]).split("; "))
    assert told["script-src"] == "'self' 'nonce-abc' 'unsafe-eval'", "never 'unsafe-inline'"
    assert told["default-src"] == "'self'" and told["object-src"] == "'none'"
    assert told["frame-ancestors"] == "'self' https://huggingface.co"


@pytest.mark.parametrize(
    ("ancestors", "scheme", "same_site", "secure"),
    [
        ((), "http", "samesite=lax", False),
        ((), "https", "samesite=lax", True),
        (("https://huggingface.co",), "https", "samesite=none", True),
        (("https://huggingface.co",), "http", "samesite=lax", False),
    ],
)
def test_login_cookies_are_as_strict_as_they_can_be(
    strangers: Any, ancestors: tuple[str, ...], scheme: str, same_site: str, secure: bool
) -> None:
    client, _ = strangers(auth=[("anna", "b")], ancestors=ancestors)
    set_by = client.post("/login", data=LOGIN, headers={"X-Forwarded-Proto": scheme})
    found = cookies(set_by)
    assert len(found) == 2
    for attributes in found.values():
        assert {"httponly", same_site} <= attributes and ("secure" in attributes) is secure


@pytest.mark.long
def test_no_script_of_the_page_lacks_the_nonce(demo_url: str) -> None:
    nonces = set()
    for _ in range(2):
        with urllib.request.urlopen(demo_url, timeout=60) as answer:
            html, told = answer.read().decode(), answer.headers["Content-Security-Policy"]
        nonce = re.search(r"'nonce-([\w-]{20,})'", told)
        assert nonce and html.count("<script") == html.count(f'<script nonce="{nonce[1]}"') > 2
        nonces.add(nonce[1])
    assert len(nonces) == 2


# A script in the page's own document, as markup that was not escaped would bring it.
INJECT = """() => {
    document.body.appendChild(Object.assign(document.createElement("script"), { text: "window.stolen = 1" }));
    return new Promise((done) => setTimeout(done, 500));
}"""


@pytest.mark.browser
@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_tab_breaks_the_policy(open_page: Any, picture: Any, scheme: str) -> None:
    said: list[str] = []
    page = open_page(scheme=scheme)
    page.on(
        "console", lambda line: said.append(line.text) if "Content Security Policy" in line.text else None
    )
    page.reload()
    page.locator("#examples .card").first.wait_for()
    upload(page, picture)
    status(page, "cosine")
    page.locator("#search-hits .open").nth(1).click()
    page.get_by_role("button", name="Why?").click()
    page.locator("#why canvas").first.wait_for()
    for tab, there in (
        ("Recommend", "#works-hits .card"),
        ("Compare", "#compare-hits .card"),
        ("Collections", "#collections article"),
        ("Map", "#map .legend button"),
    ):
        page.get_by_role("tab", name=tab).click()
        page.locator(there).first.wait_for()
    page.wait_for_function("document.querySelector('#map .stage')?.dataset.points > 0")
    assert page.evaluate("document.body.classList.contains('dark')") is (scheme == "dark")
    assert said == []
    page.evaluate(INJECT)
    assert page.evaluate("window.stolen") is None and len(said) == 1, "it would have been seen"


@pytest.mark.browser
@pytest.mark.long
def test_a_site_that_was_named_shows_the_page_in_a_frame_and_others_do_not(
    browser: Any, demo_home: Path, tmp_path: Path
) -> None:
    with (
        framing_site(tmp_path) as named,
        framing_site(tmp_path) as other,
        running("--home", str(demo_home), "--frame-ancestor", named) as url,
    ):
        (tmp_path / "index.html").write_text(f'<iframe src="{url}" width="1200" height="900"></iframe>')
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(named)
        frame = page.frame_locator("iframe")
        frame.locator("#examples .card .open").first.click()
        frame.locator("#status", has_text="cosine").wait_for()
        said: list[str] = []
        page.on("console", lambda line: said.append(line.text))
        page.goto(other)
        page.wait_for_timeout(3000)
        assert any("frame-ancestors" in line for line in said)
        assert frame.locator("#examples .card").count() == 0
        page.close()


@contextmanager
def framing_site(folder: Path) -> Iterator[str]:
    """Address of a site that serves a folder."""
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
