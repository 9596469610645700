"""The examples in the panel "API" are run as they stand, one by one."""

import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client.exceptions import AppError

from page.api.panel_examples import PanelExamples
from page.collection_library import CollectionLibrary
from tests.page.test_programs import ENDPOINTS

_ID = {
    "parameter_has_default": False,
    "parameter_default": None,
    "example_input": "...",
    "python_type": {"type": "str"},
}
PARAMETERS = [
    {"parameter_name": "id", **_ID},
    {"parameter_name": "words", **_ID, "parameter_has_default": True, "parameter_default": "it's"},
]


# What these tell is made by jobs, which the page's own samples have not been through.
NEED_A_JOB = {
    "/duplicates": "python -m ray_jobs.duplicates wikiart",
    "/insights": "python -m ray_jobs.insights wikiart",
}


def test_without_a_collection_the_panel_shows_what_gradio_has(tmp_path: Path) -> None:
    told = PanelExamples(CollectionLibrary(str(tmp_path))).snippets(
        "/x", {"parameters": PARAMETERS}, "http://h/"
    )
    assert 'client = Client("http://h")' in told["python"] and "..." in told["python"]
    assert """-d '{"id": "...", "words": "it\\u0027s"}'""" in told["bash"], "the shell's quotes are not ended"


@pytest.fixture(scope="module")
def shown(demo_url: str) -> dict[str, dict[str, Any]]:
    """What the panel is given: it stands in the page itself."""
    html = httpx.get(demo_url, timeout=60).text
    found = re.search(r"gradio_api_info = (.*?);</script>", html, re.DOTALL)
    assert found
    endpoints = json.loads(found[1])["named_endpoints"]
    assert set(endpoints) == ENDPOINTS
    return endpoints


@pytest.mark.long
@pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
def test_the_example_in_python_runs(shown: dict[str, dict[str, Any]], endpoint: str) -> None:
    said, code = io.StringIO(), shown[endpoint]["code_snippets"]["python"]
    if endpoint in NEED_A_JOB:
        with pytest.raises(AppError, match=NEED_A_JOB[endpoint]), contextlib.redirect_stdout(said):
            exec(code, {})
        return
    with contextlib.redirect_stdout(said):
        exec(code, {})
    assert said.getvalue().splitlines()[-1].startswith("{'")


@pytest.mark.long
@pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
def test_the_example_for_the_shell_runs(shown: dict[str, dict[str, Any]], endpoint: str) -> None:
    command = shown[endpoint]["code_snippets"]["bash"]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    if endpoint in NEED_A_JOB:
        assert NEED_A_JOB[endpoint] in done.stdout
        return
    assert "event: complete" in done.stdout and "event: error" not in done.stdout, done.stdout + done.stderr


@pytest.mark.long
def test_the_example_for_gradios_command_line_runs(shown: dict[str, dict[str, Any]]) -> None:
    command = shown["/search_by_id"]["code_snippets"]["cli"]
    own = command.replace("{command}", str(Path(sys.executable).with_name("hf-gradio")))
    done = subprocess.run(["bash", "-c", own], capture_output=True, text=True, timeout=120)
    assert '"hits"' in done.stdout, done.stdout + done.stderr


@pytest.mark.long
def test_the_example_in_javascript_has_the_same_values(shown: dict[str, dict[str, Any]]) -> None:
    for endpoint, about in shown.items():
        assert '"..."' not in about["code_snippets"]["javascript"], endpoint
