"""The page in front of a server whose key may only read."""

from pathlib import Path

import pytest
from gradio_client import Client, handle_file

from pipeline.backup import restore_collection, save_collection
from pipeline.store import open_store
from tests.page.conftest import running
from tests.stand_ins.qdrant import QdrantStandIn


@pytest.mark.long
def test_the_page_needs_a_key_that_only_reads(
    demo_home: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = str(tmp_path / "archive")
    save_collection(open_store(home=str(demo_home)), "wikiart", archive)
    refused: list[str] = []
    with QdrantStandIn(api_key="writes", read_only_key="reads") as server:
        monkeypatch.setenv("QDRANT_API_KEY", "writes")
        restore_collection(open_store(url=server.url), archive)
        server.answered = lambda method, path, status: refused.append(f"{status} {path}")
        with running("--url", server.url, "--home", str(tmp_path), QDRANT_API_KEY="reads") as url:
            client = Client(url, verbose=False, httpx_kwargs={"timeout": 300})
            found = client.predict(handle_file(picture), "wikiart", api_name="/search")
    assert found["hits"][0]["score"] == pytest.approx(1, abs=1e-3)
    assert [answer for answer in refused if not answer.startswith("200")] == []
