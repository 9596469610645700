"""/metrics is for this machine and for those with its key; a request leaves a count and a line, no trace."""

import contextlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.routes import App
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import demo
from page.metrics import count_logged_errors, metrics_route, read_key
from page.request_log import RequestLog, template_of
from page.route_guard import status_of
from pipeline.errors import SimileError
from tests.page.test_route_guard import routes_of

KEY = "0123456789abcdef"


def ask(
    key: str | None = None,
    public: bool = False,
    sender: str = "127.0.0.1",
    host: str = "127.0.0.1:7860",
    **headers: str,
) -> int:
    app = Starlette(routes=[metrics_route(key, public)])
    client = TestClient(app, "http://127.0.0.1:7860", client=(sender, 40_000))
    given = {"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get("/metrics", headers=given).status_code


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860"])
def test_a_program_of_this_machine_is_answered(host: str) -> None:
    assert ask(host=host) == 200


@pytest.mark.parametrize(
    "how",
    [
        {"sender": "192.0.2.7"},
        {"host": "abc.gradio.live"},
        {"host": "127.0.0.1:41234"},  # through a tunnel that passes bytes on, by its own port
        {"host": "127.0.0.1"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Forwarded_Host": "example.com"},
        {"X_Forwarded_Proto": "https"},
        {"X_Real_IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"public": True},
        {"key": KEY, "public": True},
        {"key": KEY, "sender": "192.0.2.7", "Authorization": "Bearer 0123456789abcdeF"},
        {"key": KEY, "sender": "192.0.2.7", "Authorization": f"Basic {KEY}"},
        {"sender": "192.0.2.7", "Authorization": "Bearer "},
    ],
)
def test_others_are_refused(how: dict[str, Any]) -> None:
    assert ask(**how) == 401


def test_the_key_opens_it_from_anywhere() -> None:
    assert ask(KEY, public=True, sender="192.0.2.7", host="x.org", Authorization=f"Bearer {KEY}") == 200
    assert ask(KEY, public=True, X_Forwarded_For="192.0.2.7", Authorization=f"bearer {KEY}") == 200


def test_the_key_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SIMILE_METRICS_KEY", raising=False)
    assert read_key(None) is None
    monkeypatch.setenv("SIMILE_METRICS_KEY", f" {KEY}\n")
    assert read_key(None) == KEY
    file = tmp_path / "key"
    file.write_text(f"{KEY[::-1]}\n", "utf-8")
    assert read_key(str(file)) == KEY[::-1]
    file.write_text("short", "utf-8")
    with pytest.raises(SimileError, match="has 5 characters; it must have 16 or more"):
        read_key(str(file))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(demo, "ensure_collections", lambda *_: contextlib.nullcontext())
    assert demo.main(["--metrics-key", str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def figures() -> dict[str, float]:
    app = Starlette(routes=[metrics_route(KEY, True)])
    text = TestClient(app).get("/metrics", headers={"Authorization": f"Bearer {KEY}"}).text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.fixture
def grown() -> Callable[[str], float]:
    """How much a figure has grown since the start of the test."""
    before = figures()
    return lambda name: figures().get(name, 0.0) - before.get(name, 0.0)


def test_lines_of_errors_are_counted(grown: Callable[[str], float]) -> None:
    end = count_logged_errors()
    logging.getLogger("simile").error("an expected line")
    logging.getLogger("simile").warning("another expected line")
    end()
    logging.getLogger("simile").error("after the end")
    assert grown("simile_errors_total") == 1


def test_memory_and_the_disk_of_uploads_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").write_bytes(b"x" * 1234)
    told = figures()
    assert told["simile_upload_bytes"] == 1234 and told["process_resident_memory_bytes"] > 1e7


def visitor(status: int = 200) -> TestClient:
    async def answer(request: Any) -> PlainTextResponse:
        if status == 500:
            raise RuntimeError("an expected failure")
        return PlainTextResponse("four", status)

    paths = ("/gradio_api/file={path:path}", "/gradio_api/call/{name}", "/{path:path}")
    routes = [Route(path, answer, methods=["GET", "POST"]) for path in paths]
    app = Starlette(routes=routes, middleware=[Middleware(RequestLog)])
    return TestClient(app, raise_server_exceptions=False)


def test_a_line_has_nothing_of_the_visitor(
    caplog: pytest.LogCaptureFixture, grown: Callable[[str], float]
) -> None:
    caplog.set_level(logging.INFO, "simile.requests")
    headers = {"Cookie": "access-token=secret", "X-Forwarded-For": "203.0.113.9", "User-Agent": "secret"}
    site = visitor()
    site.get("/gradio_api/file=/tmp/secret/secret.png?secret=1", headers=headers)
    site.post("/gradio_api/call/secret?a=secret", headers=headers, content=b"secret")
    site.get("/secret/secret", headers=headers)
    site.request("SECRET", "/", headers=headers)
    lines = [record.getMessage() for record in caplog.records if record.name == "simile.requests"]
    assert [re.sub(r"\d+ ms", "N ms", line) for line in lines] == [
        "GET /gradio_api/file=* 200 N ms 4 bytes",
        "POST /gradio_api/call/* 200 N ms 4 bytes",
        "GET other 200 N ms 4 bytes",
        "other / 405 N ms 18 bytes",
    ]
    assert grown('simile_requests_total{method="GET",route="other",status="200"}') == 1


@pytest.mark.parametrize(("status", "reasons"), [(403, 1), (413, 1), (500, 0), (200, 0)])
def test_refusals_are_counted_by_reason(
    status: int, reasons: int, caplog: pytest.LogCaptureFixture, grown: Callable[[str], float]
) -> None:
    caplog.set_level(logging.INFO, "simile.requests")
    assert visitor(status).get("/config").status_code == status
    assert f"GET /config {status} " in caplog.text
    assert grown(f'simile_refusals_total{{reason="http_{status}"}}') == reasons


def test_every_route_that_the_page_answers_has_a_template() -> None:
    with gr.Blocks() as blocks:
        gr.Textbox()
    for method, path in routes_of(App.create_app(blocks)):
        asked = re.sub(r"\{[^}]+\}", "secret", path)
        if status_of(method, asked) != 404:
            template = template_of(f"/gradio_api{asked}")
            assert template != "other" and "secret" not in template, path
    assert {template_of(path) for path in ("/health", "/metrics")} == {"/health", "/metrics"}
