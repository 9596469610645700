"""What tabs keep of a search, and take over from it: their handlers, over the small index of the samples."""

from dataclasses import astuple, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from page.collection_library import CollectionLibrary
from page.components.cards import Card, card, query_picture, url_of
from page.components.event_wiring import UNCHANGED, no_update
from page.components.hits import viewer_html
from page.components.proportions import proportions_of
from page.components.search_controls import SearchOptions
from page.components.viewer_parts import fact_rows, title_of
from page.query_bytes import bytes_of
from page.shared_state import Query, Searched
from page.tabs.compare import CompareHandlers, Contrast, two_ways
from page.tabs.query_changes import QueryChanges, QueryUpdate
from page.tabs.recommend import RecommendHandlers
from page.tabs.search_handlers import SearchHandlers
from page.tabs.search_update import SearchUpdate
from page.tabs.why import WhyHandlers
from page.wording import field_list
from pipeline.errors import SimileError
from pipeline.points import RESERVED
from pipeline.search import Hit, Settings
from pipeline.store.manifest import Manifest
from tests.page.conftest import LIMIT

PARTS = astuple(Contrast("encoder"))


@pytest.fixture
def library(demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CollectionLibrary:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return CollectionLibrary(str(demo_home))


def query_of(library: CollectionLibrary, *places: int) -> Query:
    """Stored pictures of the sample, which need no network to be searched from."""
    found = library.open("wikiart")
    hits = found.examples(max(places) + 1)
    return Query(tuple(query_picture(card(hits[i], found.name, pictures=library.pictures)) for i in places))


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


def test_compare_lets_one_thing_differ_and_names_it(library: CollectionLibrary) -> None:
    common, encoders = Settings(encoder="a", metric="hamming", exact=True), ["a", "b", "c"]
    ways = {one: two_ways(Contrast(one), common, encoders) for one in ("metric", "encoder", "exact")}
    assert [title for title, _ in ways["metric"]] == ["Cosine", "Hamming"]
    assert [title for title, _ in ways["exact"]] == ["Index", "Every picture"]
    assert [title for title, _ in ways["encoder"]] == ["a", "b"]
    for differs, two in ways.items():
        (_, left), (_, right) = two
        assert left != right and replace(left, **{differs: getattr(right, differs)}) == right
    assert two_ways(Contrast("encoder", "c", "a"), common, encoders)[0][1].encoder == "c"
    with pytest.raises(SimileError, match="only one encoder"):
        two_ways(Contrast("encoder"), common, ["a"])
    shown = CompareHandlers(library).compare(query_of(library, 0), None, "wikiart", "metric", None, None)
    assert (
        "Only the distance differs; " in shown.status and "both: weights:art-cnn, approximate" in shown.status
    )
    assert "<h2>Cosine</h2>" in shown.grid and "<h2>Hamming</h2>" in shown.grid
    differs, left, _ = CompareHandlers(library).choices("cifar10", "encoder")
    assert differs["value"] in ("encoder", "metric") and not left["visible"], "two encoders need no choice"


def test_recommend_takes_over_what_is_searched_from(library: CollectionLibrary) -> None:
    enter, query = RecommendHandlers(library).enter, query_of(library, 0)
    first = enter(None, "wikiart", query, None)
    assert first.liked == first.taken == query and len(first.cards) == 24
    assert enter("wikiart", "wikiart", query, Query()).liked == query, "while nothing is liked"
    other = query_of(library, 1)
    assert enter("wikiart", "wikiart", query, other, taken=None).liked is UNCHANGED, "they are the visitor's"
    assert enter("wikiart", "wikiart", query, other, taken=other).liked == query, "another search was made"
    assert enter("wikiart", "wikiart", query, query, taken=query).liked is UNCHANGED
    assert enter(None, "wikiart").liked == Query()


def test_the_larger_view_says_which_picture_it_is_and_no_row_of_a_table(library: CollectionLibrary) -> None:
    found = library.open("wikiart")
    cards = [card(hit, found.name, pictures=library.pictures) for hit in found.examples(3)]
    html = viewer_html(library, cards, 1, ["from"])
    assert "2 of 3" in html and f'data-id="{cards[1].id}"' in html
    assert "<dt>Size</dt><dd>224 × 224 pixels</dd>" in html, "the original's is not known"
    assert ".parquet" not in html and "<dt>File</dt>" not in html
    assert "<dt>Source</dt><dd>The bundled samples of WikiArt</dd>" in html
    assert html.count('data-action="similar"') == 6 and cards[1].id not in html.split("Similar works")[1]


def test_a_hit_is_shown_beside_the_picture_of_the_query_that_it_is_like(library: CollectionLibrary) -> None:
    query = query_of(library, 0, 5)
    hits = SearchHandlers(library).find(None, query, "wikiart", *inputs(SearchOptions(k=8))).cards
    html = viewer_html(library, hits, 2, ["from"], query)
    like = query.likes[hits[2].nearest]
    assert "Searched from: " + like.label in html and url_of(like) in html
    assert "Searched from" not in viewer_html(library, hits, 2, ["from"])
    browsed = replace(hits[2], metric=None)
    assert "Searched from" not in viewer_html(library, [browsed], 0, ["from"], query)


def test_what_is_known_of_a_work_comes_in_order_and_its_address_is_a_link() -> None:
    size = {"width": 224, "height": 224}
    payload = {"url": "https://example.org/1?a&b", "year": 1890, "artist": "monet", "title": "Haystacks",
               "note": "https://x\" onclick=", "width": 800, "height": 400, RESERVED: size}  # fmt: skip
    hit = Hit("id", 0.9, 0.1, payload, b"")
    found: Any = SimpleNamespace(title="Things", manifest=Manifest(collection="things", source="a/b"))
    shown = Card("id", "things", "/tmp/p.png", "monet")
    rows = fact_rows(shown, hit, found)
    assert [name for name, _ in rows[:3]] == ["artist", "year", "url"] and title_of(
        shown, hit, found
    ) == "Haystacks"
    html = field_list(rows)
    link = '<a href="https://example.org/1?a&amp;b" target="_blank" rel="noopener noreferrer nofollow">'
    assert link in html and "onclick=" not in html.replace("&quot; onclick=", "")
    assert "Original size</dt><dd>800 × 400 pixels" in html and "Indexed as</dt><dd>224 × 224" in html
    assert "https://huggingface.co/datasets/a/b" in html
    assert card_shape(payload) == (2.0, True) and card_shape({RESERVED: size}) == (1.0, False)


def card_shape(payload: dict[str, Any]) -> tuple[float, bool]:
    size = proportions_of(payload)
    return size.shape, size.squeezed


def test_what_is_liked_stays_in_the_grid_and_words_and_a_picture_mean_both(
    library: CollectionLibrary,
) -> None:
    handlers, query = SearchHandlers(library), query_of(library, 0, 7)
    shown = handlers.find(None, query, "wikiart", *inputs(SearchOptions(k=5)))
    assert shown.cards[0].id == query.likes[1].point_id and len(shown.cards) == 6
    assert query.likes[0].point_id not in {one.id for one in shown.cards}, "it is beside the grid"
    assert "<p>5 closest" in shown.status and shown.grid.count('aria-pressed="true"') == 1
    more = handlers.more(shown.cards, query, "wikiart", *inputs(SearchOptions(k=5)))
    assert len({one.id for one in more.cards}) == 11, "none is left out and none comes twice"
    both = replace(query_of(library, 0), text="impressionism")
    asked = handlers.asked(both, "wikiart", SearchOptions())
    assert asked.settings.combine == "average"
    assert handlers.asked(replace(both, text=""), "wikiart", SearchOptions()).settings.combine == "any"


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


def test_an_example_is_searched_from_in_the_event_of_its_click(library: CollectionLibrary) -> None:
    changes, found = QueryChanges(SearchHandlers(library)), library.open("wikiart")
    cards = [card(hit, found.name, pictures=library.pictures) for hit in found.examples(2)]
    values = inputs(SearchOptions())
    clicked = gr.EventData(None, {"action": "open", "index": 1})
    answer, changed = changes.find_example(cards, clicked, None, None, "wikiart", *values)
    assert changed.query == Query((query_picture(cards[1]),)) and len(answer.cards) == 24
    assert cards[1].id not in {shown.id for shown in answer.cards}
    assert answer.cards[0].url in answer.grid and library.pictures.kept("wikiart", answer.cards[0].id)
    assert cards[1].url in changed.view and changed.text == "" and changed.drop["value"] is None
    drawn = changed.drawn
    again = changes.find_query(drawn, answer.searched, changed.query, "wikiart", *values)
    assert again == (no_update(SearchUpdate), QueryUpdate()), "it was answered, and drawn, already"
    added = Query((*changed.query.likes, query_picture(cards[0])))
    _, panel = changes.find_query(drawn, answer.searched, added, "wikiart", *values)
    assert cards[0].url in panel.view and panel.text is UNCHANGED, "words may have been written meanwhile"
    by_another_event = changes.find_query(
        drawn, replace(answer.searched, query=added), added, "wikiart", *values
    )
    assert cards[0].url in by_another_event[1].view, "searched, and not drawn"
    worded = changes.find_query(drawn, answer.searched, replace(added, text="red"), "wikiart", *values)
    assert worded[1].text == "red"
    assert bytes_of(changed.query.likes[0], library) == found.get(cards[1].id).thumbnail
    strange = gr.EventData(None, {"action": "open", "index": 9})
    assert changes.find_example(cards, strange, None, None, "wikiart", *values) == (
        no_update(SearchUpdate),
        QueryUpdate(),
    )
