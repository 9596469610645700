"""Only the routes that the page needs answer; others of Gradio could fetch addresses or act as the owner."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.routes import App

from page.route_guard import status_of

# Gradio's routes that a visitor has no use for. A new version of Gradio with another route fails the test
# below: decide whether the page needs it, and enter it here or in page/route_guard.py.
REFUSED = {
    "/api/{api_name}/": set(),
    "/component_server": {"POST"},
    "/custom_component/{id}/{environment}/{type}/{file_name}": {"GET"},
    "/deep_link": {"GET"},
    "/dev/reload": {"GET"},
    "/file/{path:path}": {"GET"},
    "/monitoring": {"GET"},
    "/monitoring/summary": {"GET"},
    "/monitoring/{key}": {"GET"},
    "/openapi.json": {"GET", "HEAD"},
    "/process_recording": {"POST"},
    "/profiling/clear": {"POST"},
    "/profiling/summary": {"GET"},
    "/profiling/traces": {"GET"},
    "/proxy={url_path:path}": {"GET", "HEAD"},
    "/pwa_icon/{size}": {"GET"},
    "/run-history/buckets": {"GET"},
    "/run-history/connect": {"POST"},
    "/run-history/records": {"GET"},
    "/run-history/records/{endpoint}/{record_id}/assets/{asset_id}": {"GET"},
    "/runs": {"GET"},
    "/stream/{event_id}": {"POST"},
    "/stream/{event_id}/close": {"POST"},
    "/stream/{session_hash}/{run}/{component_id}/playlist-file": {"GET"},
    "/stream/{session_hash}/{run}/{component_id}/playlist.m3u8": {"GET"},
    "/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}": {"GET"},
    "/undo-vibe-edit": {"POST"},
    "/vibe-code": {"GET", "POST"},
    "/vibe-edit": {"POST"},
    "/vibe-starter-queries": {"POST"},
}


def routes_of(router: Any) -> Iterator[tuple[str, str]]:
    """(method, path) of every route, those of included routers without their prefix."""
    for route in router.routes:
        if hasattr(route, "original_router"):
            yield from routes_of(route.original_router)
        elif getattr(route, "methods", None):
            yield from ((method, route.path.removeprefix("/gradio_api")) for method in route.methods)


def test_every_route_of_gradio_is_decided_on() -> None:
    with gr.Blocks() as blocks:
        gr.Textbox()
    found = set(routes_of(App.create_app(blocks)))
    assert ("POST", "/process_recording") in found and ("GET", "/file={path_or_url:path}") in found
    undecided = []
    for method, path in sorted(found):
        refused = method in REFUSED.get(path.rstrip("/") or "/", ())
        answered = status_of(method, re.sub(r"\{[^}]+\}", "x", path)) != 404
        if refused == answered:
            undecided.append((method, path))
    assert undecided == []


@pytest.mark.parametrize(
    "file",
    [
        "http://127.0.0.1:1/a.png",
        "https://example.com/a.png",
        "http%3A//127.0.0.1%3A1/a.png",
        "/etc/passwd",
        "demo.py",
        "../demo.py",
        "//127.0.0.1/a.png",
        "",
    ],
)
def test_no_file_but_an_upload_is_given(file: str, demo_url: str) -> None:
    assert answer(f"{demo_url}/gradio_api/file={file}") == 403
    assert answer(f"{demo_url}/file={file}") == 403


def test_an_uploaded_file_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "a b.png").write_bytes(b"x")
    assert status_of("GET", f"/gradio_api/file={tmp_path}/a b.png") == 200
    assert status_of("GET", f"/gradio_api/file={tmp_path}/a%20b.png") == 200
    assert status_of("GET", f"/gradio_api/file={tmp_path}/../b.png") == 403
    assert status_of("POST", f"/gradio_api/file={tmp_path}/a b.png") == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/gradio_api/run-history/buckets"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1:1/"),
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/component_server"),
        ("GET", "/monitoring"),
        ("GET", "/openapi.json"),
        ("GET", "/gradio_api/vibe-code"),
        ("DELETE", "/config"),
    ],
)
def test_what_the_page_does_not_need_is_not_there(method: str, path: str, demo_url: str) -> None:
    assert answer(demo_url + path, method) == 404


def test_the_page_and_its_programs_are_answered(demo_url: str) -> None:
    for path in ("/", "/config", "/theme.css", "/gradio_api/info", "/gradio_api/startup-events", "/health"):
        assert answer(demo_url + path) == 200


def answer(address: str, method: str = "GET") -> int:
    """The status of a response."""
    request = urllib.request.Request(address, method=method, data=b"" if method == "POST" else None)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
