"""The page below a path of a proxy: the page itself, its assets, uploads, searches and files."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file

import demo
from page.allowed_hosts import AllowedHosts
from page.app import build
from page.collection_library import CollectionLibrary
from page.rate_limit import RateLimit
from page.route_guard import page_path
from pipeline.errors import SimileError
from tests.page.conftest import free_port
from tests.page.test_metrics import KEY
from tests.stand_ins import proxy


@pytest.fixture(scope="module")
def upstream(demo_home: Path) -> Iterator[str]:
    """A page in this process that is launched as `demo.py --root-path /simile` does it."""
    port = free_port()
    options = demo._parser().parse_args(["--root-path", "/simile", "--port", str(port)])
    library = CollectionLibrary(str(demo_home), None)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as uploads:
        patch.setenv("GRADIO_TEMP_DIR", uploads)
        page = build(library, RateLimit(0))
        demo._launch(page, library, options, None, AllowedHosts(), KEY)
        yield f"http://127.0.0.1:{port}"
        page.close(verbose=False)


@pytest.mark.long
@pytest.mark.parametrize("strip", [True, False])
def test_everything_of_the_page_works_below_a_path(upstream: str, picture: Path, strip: bool) -> None:
    with proxy.serving(upstream, "/simile", strip) as address:
        root = address.removesuffix("/simile")
        assert httpx.get(f"{root}/config").status_code == 404, "the proxy serves nothing else"
        page = httpx.get(f"{address}/")
        assets = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page.text)
        assert page.status_code == 200 and assets
        for name in (*assets, "config", "theme.css", "health", "gradio_api/info"):
            assert httpx.get(f"{address}/{name}").status_code == 200, name
        assert httpx.get(f"{address}/config").json()["root"] == address
        client = Client(f"{address}/", verbose=False)
        hits = client.predict(handle_file(picture), "wikiart", k=3, api_name="/search")["hits"]
        assert len(hits) == 3
        files = {"files": ("a b.jpg", picture.read_bytes(), "image/jpeg")}
        (path,) = httpx.post(f"{address}/gradio_api/upload", files=files).json()
        assert httpx.get(f"{address}/gradio_api/file={path}").content == picture.read_bytes()
        assert httpx.get(f"{address}/gradio_api/file=/etc/passwd").status_code == 403
        assert httpx.get(f"{address}/gradio_api/run-history/buckets").status_code == 404
        assert httpx.get(f"{address}/metrics").status_code == 401
        figures = httpx.get(f"{address}/metrics", headers={"Authorization": f"Bearer {KEY}"}).text
        assert re.search(r'^simile_search_seconds_count\{endpoint="search"\} [1-9]', figures, re.MULTILINE)
        assert 'simile_refusals_total{reason="http_403"}' in figures


def test_a_root_path_is_a_path_and_not_with_a_public_link(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.parse_root_path("/a/simile/") == "/a/simile" and demo.parse_root_path("/") == ""
    for wrong in ("simile", "https://example.com/simile", "/a b", "//host", "/a?b"):
        with pytest.raises(SimileError, match="must be a path such as /simile"):
            demo.parse_root_path(wrong)
    assert demo.main(["--share", "--root-path", "/simile"]) == 1
    assert "a public link has no path" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "root", "seen"),
    [
        ("/simile/config", "/simile", "/config"),
        ("/config", "/simile", "/config"),
        ("/simile", "/simile", "/"),
        ("/simile-2/config", "/simile", "/simile-2/config"),
        ("/simile/config", "", "/simile/config"),
    ],
)
def test_a_path_is_seen_without_the_root_path(path: str, root: str, seen: str) -> None:
    assert page_path({"path": path, "root_path": root}) == seen
