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
    with QdrantStandIn(api_key="writes", read_only_key="reads") as server:
        monkeypatch.setenv("QDRANT_API_KEY", "writes")
        restore_collection(open_store(url=server.url), archive)
        with running("--url", server.url, "--home", str(tmp_path), QDRANT_API_KEY="reads") as url:
            client = Client(url, verbose=False, httpx_kwargs={"timeout": 300})
            upload = client.predict(handle_file(picture), "wikiart", k=3, api_name="/search")
            own, other, *_ = (hit["id"] for hit in upload["hits"])
            assert upload["hits"][0]["distance"] == pytest.approx(0, abs=1e-3)
            assert len(client.predict("wikiart", k=5, api_name="/map")["places"]) == 5
            assert client.predict("wikiart", "artist", api_name="/facets")["values"]
            assert client.predict(own, "wikiart", k=4, api_name="/search_by_id")["hits"]
            assert client.predict([own], "wikiart", [other], k=4, api_name="/recommend")["hits"]
            assert client.predict(own, "wikiart", k=4, api_name="/compare")["left"]
            assert client.predict(other, "wikiart", id=own, api_name="/explain")
            assert client.predict(own, "wikiart", k=4, api_name="/export")["text"]
        assert server.refused == []
