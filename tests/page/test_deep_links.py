"""A link holds a search, and what it cannot hold is ignored and named."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from page.collection_library import CollectionLibrary
from page.deep_links import link_to, read_link
from page.shared_state import Query, QueryPicture
from tests.page.conftest import hit_pictures, status


def test_a_link_holds_only_what_exists(demo_home: Path) -> None:
    library = CollectionLibrary(str(demo_home))
    found = library.open("wikiart")
    point_id, style = found.examples(1)[0].id, found.facets("style")[0][0]
    query = Query((QueryPicture("/tmp/x.webp", point_id, "wikiart"),))
    text = link_to(query, "wikiart", "hamming", {"style": [style]})
    link = read_link(parse_qsl(text[1:]), library)
    assert (link.collection, link.metric, link.filters) == ("wikiart", "hamming", {"style": [style]})
    assert link.query and link.query.likes[0].point_id == point_id and not link.ignored
    own = Query(
        (QueryPicture("/tmp/mine.jpg"), QueryPicture("/tmp/part.webp", point_id, "wikiart", (0, 0, 0.5, 1)))
    )
    assert "from" not in link_to(own, "wikiart", "cosine", {})
    wrong = [("metric", "<b>"), ("filter.style", "../x"), ("filter.nope", "y"), ("from", "http://a/b.png")]
    link = read_link([("collection", "wikiart"), *wrong], library)
    assert not (link.metric or link.filters or link.query) and len(link.ignored) == 4
    assert read_link([("collection", "/etc"), ("from", point_id)], library).query is None


@pytest.mark.browser
def test_a_link_brings_the_search_back(open_page: Any) -> None:
    page = open_page()
    page.locator("#metric").get_by_text("Hamming").click()
    page.locator("#examples .open").nth(1).click()
    status(page, "Hamming")
    everything = hit_pictures(page)
    page.get_by_role("button", name="Filters").click()
    page.locator("#filters input").first.click()
    page.get_by_role("option").last.click()
    page.wait_for_function(
        "was => [...document.querySelectorAll('#search-hits .open img')]"
        ".map(one => one.getAttribute('src')).join() !== was.join()",
        arg=everything,
    )
    hits = hit_pictures(page)
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_url("**/?collection=wikiart&metric=hamming&filter.*&from=*")
    page.goto(page.url + "&filter.nothing=%3Cb%3Ex")
    page.locator("#search-hits .card").first.wait_for()
    status(page, "Hamming")
    page.wait_for_function("n => document.querySelectorAll('#search-hits .card').length === n", arg=len(hits))
    assert hit_pictures(page) == hits
    page.get_by_text("there is no filter “nothing”").wait_for()
