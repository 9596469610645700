"""What is indexed while the page runs appears without a restart, also where nothing has a label."""

import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from pipeline import list_collections
from tests.page.conftest import hit_pictures, running, status, upload
from tests.stand_ins.qdrant import QdrantStandIn

pytestmark = pytest.mark.long


def test_a_collection_that_appears_is_offered_and_needs_no_labels(
    browser: Any, demo_home: Path, picture: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(demo_home / "store", home / "store")
    alias = home / "store" / "wikiart.alias"
    manifest = home / "store" / alias.read_text().strip() / "manifest.json"
    facts = json.loads(manifest.read_text()) | {"filters": [], "title": "Unlabelled"}
    manifest.write_text(json.dumps(facts))
    alias.rename(tmp_path / "later")
    with running("--home", str(home)) as url:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(url)
        page.locator("#examples .card").first.wait_for()
        page.locator("#collection input").click()
        offered = page.get_by_role("option").all_inner_texts()
        assert len(offered) == 1 and "CIFAR-10" in offered[0]
        page.locator("#masthead").click()  # closes the list
        (tmp_path / "later").rename(alias)
        page.wait_for_timeout(7_000)  # the page looks again every five seconds
        page.locator("#collection input").click()
        page.get_by_role("option", name="Unlabelled").click()
        page.locator("#examples .card:not(.tiny)").first.wait_for()
        upload(page, picture)
        status(page, "24 closest of 60")
        assert len(hit_pictures(page)) == 24
        assert not page.locator("#filters").is_visible()
        for gone in (alias, home / "store" / "cifar10.alias"):
            gone.rename(tmp_path / gone.name)
        page.get_by_text("There is no collection yet").wait_for()
        assert not page.locator("#tabs").is_visible()
        (tmp_path / alias.name).rename(alias)
        page.locator("#tabs").wait_for()
        assert not page.get_by_text("There is no collection yet").is_visible()
        page.close()


def test_an_empty_server_is_left_alone_and_the_page_says_what_fills_it() -> None:
    with QdrantStandIn() as server, running("--url", server.url) as url:
        with urllib.request.urlopen(f"{url}/config", timeout=60) as answer:
            assert "python -m ray_jobs.samples" in answer.read().decode()
        assert list_collections(url=server.url) == []
