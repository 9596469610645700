"""What tabs keep of a search, and take over from it: their handlers, over the small index of the samples."""

from dataclasses import astuple, replace
from pathlib import Path

import pytest

from page.collection_library import CollectionLibrary
from page.components.cards import card, query_picture
from page.components.event_wiring import UNCHANGED, no_update
from page.components.hits import viewer_html
from page.components.search_controls import SearchOptions
from page.shared_state import Query, Searched
from page.tabs.compare import CompareHandlers, Way
from page.tabs.recommend import RecommendHandlers
from page.tabs.search_handlers import SearchHandlers
from page.tabs.search_update import SearchUpdate
from page.tabs.why import WhyHandlers
from pipeline.search import Settings
from tests.page.conftest import LIMIT

WAYS = (Way("weights:art-cnn"), Way("weights:art-vit", "hamming", exact=True))
PARTS = [value for way in WAYS for value in astuple(way)]


@pytest.fixture
def library(demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CollectionLibrary:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return CollectionLibrary(str(demo_home))


def query_of(library: CollectionLibrary, *places: int) -> Query:
    """Stored pictures of the sample, which need no network to be searched from."""
    found = library.open("wikiart")
    hits = found.examples(max(places) + 1)
    return Query(tuple(query_picture(card(hits[i], found.name)) for i in places))


def inputs(options: SearchOptions) -> list[object]:
    """As the page sends them, without filters."""
    return list(astuple(options)[:-1])


def test_a_search_that_was_answered_already_takes_no_hits_away(library: CollectionLibrary) -> None:
    query, options = query_of(library, 0), SearchOptions(k=5, combine="average")
    handlers, nothing = SearchHandlers(library), no_update(SearchUpdate)
    first = handlers.find(None, query, "wikiart", *inputs(options))
    assert len(first.cards) == 5 and first.searched

    def again(searched: Searched | None, query: Query | None, asked: SearchOptions) -> SearchUpdate:
        return handlers.find(searched, query, "wikiart", *inputs(asked))

    assert again(first.searched, query, options) == nothing
    hint = again(first.searched, None, options)
    assert hint.cards == [] and again(hint.searched, None, options) == nothing
    for other in (replace(options, metric="hamming"), replace(options, side_by_side=True)):
        assert again(first.searched, query, other).searched not in (first.searched, None, UNCHANGED)
    for before in (None, Searched("cifar10", first.searched.settings, query)):
        assert again(before, query, options).searched == first.searched
    failed = again(None, query, replace(options, metric="euclid"))  # type: ignore[arg-type]
    assert "does not exist" in failed.status, "what fails is said"


def test_compare_heeds_the_filters_of_search_and_says_so(library: CollectionLibrary) -> None:
    style, count = library.open("wikiart").facets("style")[0]
    searched = Searched("wikiart", Settings(filters={"style": [style]}, diversity=0.3, k=3))
    compare_them = CompareHandlers(library).compare
    shown = compare_them(query_of(library, 0), searched, "wikiart", *PARTS)
    line, html, cards = shown.status, shown.grid, shown.cards
    assert f"as in Search: Style: {style.replace('_', ' ')}; diversity 0.3" in line
    assert html.count('<section class="column"') == 2
    found = library.open("wikiart")
    styles = {hit.payload["style"] for hit in found.get_many([one.id for one in cards])}
    assert styles == {style} and 2 * (min(24, count) - 1) <= len(cards) <= 2 * min(24, count)
    elsewhere = Searched("cifar10", Settings(filters={"label": ["cat"]}))
    shown = compare_them(query_of(library, 0), elsewhere, "wikiart", *PARTS)
    assert "as in Search" not in shown.status and len(shown.cards) == 48


def test_recommend_takes_over_what_is_searched_from(library: CollectionLibrary) -> None:
    enter, query = RecommendHandlers(library).enter, query_of(library, 0)
    first = enter(None, "wikiart", query, None)
    assert first.liked == query and len(first.cards) == 24
    assert enter("wikiart", "wikiart", query, Query()).liked == query, "while nothing is liked"
    assert enter("wikiart", "wikiart", query, query_of(library, 1)).liked is UNCHANGED
    assert enter(None, "wikiart").liked == Query()


def test_the_larger_view_says_which_picture_it_is_and_no_row_of_a_table(library: CollectionLibrary) -> None:
    found = library.open("wikiart")
    cards = [card(hit, found.name) for hit in found.examples(3)]
    html = viewer_html(library, cards, 1, ["from"])
    assert "2 of 3" in html and f'data-id="{cards[1].id}"' in html and "Original size" in html
    assert ".parquet" not in html and "<dt>File</dt>" not in html


def test_why_opens_with_the_encoder_and_the_picture_that_found_the_first_hit(
    library: CollectionLibrary,
) -> None:
    query = query_of(library, 0, 5)
    searched = Searched("wikiart", Settings(encoder="weights:art-vit", k=24))
    show = WhyHandlers(library).show
    html, before, pair = show(None, None, query, "wikiart", searched)
    found = library.open("wikiart")
    by_id = [found.search_id(s.point_id or "", k=60, encoder="weights:art-vit")[0] for s in query.likes]
    scores = [{hit.id: hit.score for hit in hits}[pair.hit.point_id] for hits in by_id]
    assert pair.encoder == "weights:art-vit" and pair.among == query.likes
    assert pair.query == query.likes[scores.index(max(scores))]
    assert "Seen by weights:art-vit" in html and html.count('aria-pressed="true"') == 1
    assert f"{max(scores):.3f}" in html
    html, _, again = show(
        None, before, query, "wikiart", Searched("wikiart", Settings(encoder="weights:art-cnn"))
    )
    assert again.encoder == "weights:art-cnn" and "Seen by weights:art-cnn" in html


def test_why_ranks_the_hits_of_a_part_as_the_search_did(library: CollectionLibrary) -> None:
    whole = query_of(library, 0)
    part = Query((replace(whole.likes[0], box=(0.0, 0.0, 0.6, 0.6)),))
    html, _, pair = WhyHandlers(library).show(None, None, part, "wikiart")
    assert pair.hit.point_id != pair.query.point_id, "the picture that the part is of is no hit"
    assert "Part of " in html and f"<td>1 of {LIMIT}</td>" in html
