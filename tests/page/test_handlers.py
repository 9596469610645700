"""What tabs keep of a search, and take over from it: their handlers, over the small index of the samples."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

from page.components.cards import card, source_of
from page.library import Library
from page.state import Query, Searched
from page.tabs import compare, why
from page.tabs.search_handlers import Handlers
from pipeline.search import Settings
from tests.page.conftest import LIMIT

PARTS = ("weights:art-cnn", "cosine", False, "weights:art-vit", "hamming", True)


@pytest.fixture
def library(demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return Library(str(demo_home))


def query_of(library: Library, *places: int) -> Query:
    """Stored pictures of the sample, which need no network to be searched from."""
    found = library.open("wikiart")
    hits = found.examples(max(places) + 1)
    return Query(tuple(source_of(card(hits[i], found.name)) for i in places))


def test_a_search_that_was_answered_already_takes_no_hits_away(library: Library) -> None:
    query, knobs = query_of(library, 0), ("cosine", None, "nearest", 5, False, False, 0, "average", False)
    handlers, nothing = Handlers(library), (gr.skip(),) * 9
    *_, cards, _, _, _, _, _, searched = handlers.find(query, "wikiart", *knobs)
    assert len(cards) == 5
    again = handlers.find_again
    assert again(searched, query, "wikiart", *knobs) == nothing == again(None, None, "wikiart", *knobs)
    for other in [("hamming", *knobs[1:]), (*knobs[:-1], True)]:
        assert again(searched, query, "wikiart", *other)[-1] not in (searched, gr.skip())
    for before in (None, Searched("cifar10", searched.settings, query)):
        assert again(before, query, "wikiart", *knobs)[-1] == searched
    line, *_ = again(None, query, "wikiart", "euclid", *knobs[1:])
    assert "does not exist" in line, "what fails is said"


def test_compare_heeds_the_filters_of_search_and_says_so(library: Library) -> None:
    style, count = library.open("wikiart").facets("style")[0]
    searched = Searched("wikiart", Settings(filters={"style": [style]}, diversity=0.3, k=3))
    compare_them = compare._Handlers(library).compare
    line, html, cards, _ = compare_them(query_of(library, 0), searched, "wikiart", *PARTS)
    assert f"as in Search: Style: {style.replace('_', ' ')}; diversity 0.3" in line
    assert html.count('<section class="column"') == 2
    found = library.open("wikiart")
    styles = {hit.payload["style"] for hit in found.get_many([shown.id for shown in cards])}
    assert styles == {style} and 2 * (min(24, count) - 1) <= len(cards) <= 2 * min(24, count)
    elsewhere = Searched("cifar10", Settings(filters={"label": ["cat"]}))
    line, _, cards, _ = compare_them(query_of(library, 0), elsewhere, "wikiart", *PARTS)
    assert "as in Search" not in line and len(cards) == 48


def test_why_opens_with_the_encoder_and_the_picture_that_found_the_first_hit(library: Library) -> None:
    query = query_of(library, 0, 5)
    searched = Searched("wikiart", Settings(encoder="weights:art-vit", k=24))
    show = why.Handlers(library).show
    html, before, pair = show(None, None, query, "wikiart", searched)
    found = library.open("wikiart")
    by_id = [found.search_id(s.point_id or "", k=60, encoder="weights:art-vit")[0] for s in query.sources]
    scores = [{hit.id: hit.score for hit in hits}[pair.hit.point_id] for hits in by_id]
    assert pair.encoder == "weights:art-vit" and pair.among == query.sources
    assert pair.query == query.sources[scores.index(max(scores))]
    assert "Seen by weights:art-vit" in html and html.count('aria-pressed="true"') == 1
    assert f"{max(scores):.3f}" in html
    html, _, again = show(
        None, before, query, "wikiart", Searched("wikiart", Settings(encoder="weights:art-cnn"))
    )
    assert again.encoder == "weights:art-cnn" and "Seen by weights:art-cnn" in html


def test_why_ranks_the_hits_of_a_part_as_the_search_did(library: Library) -> None:
    whole = query_of(library, 0)
    part = Query((replace(whole.sources[0], box=(0.0, 0.0, 0.6, 0.6)),))
    html, _, pair = why.Handlers(library).show(None, None, part, "wikiart")
    assert pair.hit.point_id != pair.query.point_id, "the picture that the part is of is no hit"
    assert "Part of " in html and f"<td>1 of {LIMIT}</td>" in html
