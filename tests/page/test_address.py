"""The page's address holds a search: it is sent, reloaded, gone back to, and what it cannot hold is named."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from page.address import link_to, read_link
from page.collection_library import CollectionLibrary
from page.components.search_controls import SearchOptions
from page.own_uploads import OwnUploads
from page.shared_state import Query, QueryPicture
from tests.page.conftest import hit_pictures, status, upload

PLAIN = SearchOptions()


def test_an_address_holds_only_what_exists(demo_home: Path) -> None:
    library = CollectionLibrary(str(demo_home))
    found = library.open("wikiart")
    point_id, style = found.examples(1)[0].id, found.facets("style")[0][0]
    assert link_to(None, "wikiart", PLAIN, {}) == "collection=wikiart", "usual values are left out"
    wrong = [
        ("metric", "<b>"),
        ("k", "1e9"),
        ("exact", "1"),
        ("colours", "red"),
        ("encoder", "hf:x/y"),
        ("combine", ""),
    ]
    wrong += [("filter.style", "../x"), ("filter.nope", "y"), ("from", "http://a/b.png"), ("from", "own.x")]
    wrong += [("from", f"cifar10/{point_id}"), ("from", f"../{point_id}"), ("from", f"{point_id}~0,0,0,x")]
    link = read_link([("collection", "wikiart"), *wrong], library)
    assert not (link.options or link.filters or link.query) and len(link.ignored) == len(wrong)
    assert read_link([("collection", "/etc"), ("from", point_id)], library).query is None
    link = read_link([("collection", "wikiart"), ("filter.style", style), ("shown", "-1")], library)
    assert link.filters == {"style": [style]} and link.shown == 0 and not link.ignored


def test_an_address_holds_everything_that_decides_what_is_seen(demo_home: Path, tmp_path: Path) -> None:
    library, uploads = CollectionLibrary(str(demo_home)), OwnUploads()
    own = tmp_path / "uploads/token/picture.png"
    own.parent.mkdir(parents=True)
    own.touch()
    uploads.add(own, "anna")
    found = library.open("wikiart")
    ids, style = [hit.id for hit in found.examples(3)], found.facets("style")[0][0]
    photograph = library.open("cifar10").examples(1)[0].id
    query = Query(
        (
            QueryPicture("a", ids[0], "wikiart"),
            QueryPicture("b", ids[1], "wikiart", (0, 0.25, 0.5, 1)),
            QueryPicture(str(own), box=(0, 0, 0.5, 0.5)),
            QueryPicture("c", photograph, "cifar10"),
        ),
        "a boat & a mill",
        (QueryPicture("d", ids[2], "wikiart"),),
    )
    options = replace(
        PLAIN,
        metric="hamming",
        encoder="weights:art-vit",
        closeness=2,
        k=7,
        exact=True,
        fold=True,
        diversity=0.3,
        combine="average",
        side_by_side=True,
        colours="aa3311,ffeecc",
        everywhere="merged",
    )
    text = link_to(query, "wikiart", options, {"style": [style, None]}, uploads, shown=48)
    link = read_link(parse_qsl(text + "&tab=map&open=x"), library, uploads, "anna")
    assert not link.ignored and replace(PLAIN, **link.options) == options
    assert link.filters == {"style": [style, None]}
    assert (link.shown, link.tab, link.opened) == (48, "map", "x")
    assert link.query and link.query.text == query.text

    def named(pictures: tuple[QueryPicture, ...]) -> list[tuple[Any, ...]]:
        return [(one.point_id or one.file, one.collection, one.box) for one in pictures]

    assert named(link.query.likes) == named(query.likes)
    assert named(link.query.dislikes) == named(query.dislikes)
    other = read_link(parse_qsl(text), library, uploads, "bob")
    assert other.query and len(other.query.likes) == 3 and "not shared" in other.ignored[0]


@pytest.mark.long
@pytest.mark.browser
def test_back_forward_and_reload_give_the_same_view(open_page: Any) -> None:
    page = open_page()
    page.locator("#examples .open").nth(1).click()
    status(page, "cosine")
    first = hit_pictures(page)
    page.wait_for_url("**/?collection=wikiart&from=*")
    page.get_by_text("More options").first.click()
    page.locator("#metric").get_by_text("Hamming").click()
    page.wait_for_url("**/?collection=wikiart&metric=hamming&from=*")
    status(page, "Hamming")
    second = hit_pictures(page)
    page.locator("#search-hits .open").nth(2).click()
    page.wait_for_url("**&open=*")
    dialog = page.get_by_role("dialog", name="Larger view")
    page.go_back()
    dialog.wait_for(state="hidden")
    page.go_forward()
    dialog.wait_for()
    shown = dialog.locator("img[data-id]").get_attribute("data-id")
    assert f"open={shown}" in page.url
    page.reload()
    dialog.wait_for()
    assert dialog.locator("img[data-id]").get_attribute("data-id") == shown and hit_pictures(page) == second
    page.go_back()
    dialog.wait_for(state="hidden")
    page.go_back()
    status(page, "cosine")
    assert hit_pictures(page) == first and "metric" not in page.url
    page.locator("#tab-compare-button").click()
    page.wait_for_url("**&tab=compare")
    page.locator("#compare-hits .card").first.wait_for()
    page.go_back()
    page.locator("#search-hits .card").first.wait_for()
    page.go_back()
    page.locator("#examples .card").first.wait_for()
    assert page.url.endswith("/?collection=wikiart") and not hit_pictures(page)


@pytest.mark.long
@pytest.mark.browser
def test_an_upload_is_found_again_and_is_sent_if_its_owner_says_so(
    open_page: Any, browser: Any, picture: Path
) -> None:
    page = open_page()
    upload(page, picture)
    status(page, "cosine")
    page.locator("#more").click()
    page.wait_for_url("**/?collection=wikiart&from=own.*&shown=48")
    hits = hit_pictures(page)
    # As long as pictures come in, the browser may move what is seen.
    page.wait_for_function("() => { scrollTo(0, 500); return history.state?.y === 500; }", polling=300)
    page.reload()
    page.wait_for_function("n => document.querySelectorAll('#search-hits .card').length === n", arg=48)
    assert hit_pictures(page) == hits
    page.wait_for_function("() => Math.abs(scrollY - 500) < 50")
    stranger = browser.new_context().new_page()
    stranger.set_default_timeout(120_000)
    stranger.goto(page.url)
    stranger.get_by_text("not shared by whoever sent it").wait_for()
    assert not hit_pictures(stranger)
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Include my picture").click()
    page.get_by_text("It works until").wait_for()
    stranger.goto(page.url)
    stranger.wait_for_function("n => document.querySelectorAll('#search-hits .card').length === n", arg=48)
    assert hit_pictures(stranger) == hits
    stranger.context.close()


@pytest.mark.long
@pytest.mark.browser
def test_on_a_phone_the_results_are_scrolled_to(open_page: Any, picture: Path) -> None:
    page = open_page(390, 844)
    page.locator("#examples .open").nth(8).scroll_into_view_if_needed()
    page.locator("#examples .open").nth(8).click()
    status(page, "cosine")
    page.wait_for_function("() => document.querySelector('#status').getBoundingClientRect().top >= 0")
    top = page.locator("#search-hits .card").first.bounding_box()["y"]
    assert 0 < top < 844 * 0.8
