"""Filters of every kind: where each field is on the page, what is sent to a search, and what a link keeps."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from page.address import link_to, read_link
from page.api.arguments import parsed_filters
from page.api.search import SearchEndpoints
from page.collection_library import CollectionLibrary
from page.components.filter_boxes import NO_VALUE, FilterState, boxes_of, chosen_filters, places_of, state_of
from page.components.range_sliders import slid, sliders_html
from page.components.search_controls import SearchOptions
from page.exact_json import exact_json
from pipeline.errors import SimileError
from pipeline.store import open_store
from tests.store.odd_fields import BIG, fill


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> CollectionLibrary:
    home = str(tmp_path_factory.mktemp("home"))
    fill(open_store(home=home))
    return CollectionLibrary(home)


def test_text_has_boxes_and_numbers_have_sliders(library: CollectionLibrary) -> None:
    places = places_of(library.open("odd"))
    assert {"Shot by", "tags[]", "sold", "tweet"} <= set(places.boxes), "a browser cannot hold these tweets"
    assert [one.field for one in places.sliders] == ["year", "rating", "scores", "when"]
    year, rating, _, when = places.sliders
    assert (year.low, year.high, year.step, year.without) == (1900, 1907, 1, 2)
    assert (rating.low, rating.high) == (0.0, 3.5)
    assert when.bound(when.low, up=False) == "2024-01-01" and when.bound(when.high, up=True) == "2024-01-08"
    html = sliders_html(places.sliders, {"year": [{"gte": 1903}, None]})
    assert 'data-field="year"' in html and 'value="1903"' in html and html.count(" checked") == 1
    assert html.count("No value (2)") == 4


def test_boxes_count_and_send_text(library: CollectionLibrary) -> None:
    found = library.open("odd")
    places = places_of(found)
    boxes = dict(zip(places.boxes, boxes_of(found, places, {"sold": ["true", None]}), strict=False))
    assert boxes["sold"]["choices"] == [("No (3)", "false"), ("Yes (3)", "true"), ("No value (2)", NO_VALUE)]
    assert boxes["sold"]["value"] == ["true", NO_VALUE]
    assert (f"{BIG + 3} (1)", str(BIG + 3)) in boxes["tweet"]["choices"]
    assert ("Red (3)", "red") in boxes["tags[]"]["choices"]


def moved(**data: Any) -> Any:
    return SimpleNamespace(_data=data)


def test_what_is_chosen_is_what_a_search_takes(library: CollectionLibrary) -> None:
    found = library.open("odd")
    sliders = places_of(found).sliders
    state = FilterState(("sold", "tweet"))
    for event in (
        moved(field="year", low=1901, high=1907, without=True),
        moved(field="when", low=sliders[3].low, high=sliders[3].low + 86_400, without=False),
        moved(field="rating", low=0.0, high=3.5, without=False),
    ):
        state = state.moved(*slid(event, sliders))  # type: ignore[misc]
    chosen = chosen_filters(found, [["true", NO_VALUE], [str(BIG + 3)], state])
    assert chosen == {
        "sold": ["true", None],
        "tweet": [str(BIG + 3)],
        "year": [{"gte": 1901}, None],
        "when": [{"lte": "2024-01-02"}],
    }
    assert state.moved(*slid(moved(field="year", low=1900, high=1907), sliders)).ranges.keys() == {"when"}  # type: ignore[misc]
    for wrong in ({}, {"field": "nope", "low": 1, "high": 2}, {"field": "year", "low": "x", "high": 2}):
        assert slid(moved(**wrong), sliders) is None
    facets = dict(found.facets("plain", {"year": [{"gte": 1903}, None], "sold": ["true"]}))
    assert facets == {"plain 0": 2}


def test_a_link_keeps_every_kind_of_filter(library: CollectionLibrary) -> None:
    found = library.open("odd")
    filters = {
        "sold": ["true", None],
        "tweet": [str(BIG + 3)],
        "Shot by": ["Shot by 1"],
        "year": [{"gte": 1901, "lte": 1905}, None],
        "when": [{"gte": "2024-01-02"}],
    }
    link = read_link(parse_qsl(link_to(None, "odd", SearchOptions(), filters)), library)
    assert not link.ignored
    year = {"year": [{"gte": "1901", "lte": "1905"}, None]}
    assert link.filters == filters | year
    state = state_of(places_of(found), link.filters)
    assert 'value="1901"' in sliders_html(places_of(found).sliders, state.ranges)
    wrong = [("collection", "odd"), ("filter.year", "x..2"), ("filter.when", "2024-01-01")]
    assert len(read_link(wrong, library).ignored) == 2


def test_the_api_counts_and_takes_objects(library: CollectionLibrary) -> None:
    api = SearchEndpoints(library)
    sold = api.facets("odd", "sold", {"year": {"gte": 1901}})  # type: ignore[arg-type]
    assert sold["kind"] == "boolean"
    assert sold["values"] == [{"value": False, "count": 3}, {"value": True, "count": 2}]
    tweets = api.facets("odd", "tweet", '{"year": 1903}')
    assert tweets["values"] == [{"value": str(BIG + 3), "count": 1}] and tweets["least"] == str(BIG)
    when = api.facets("odd", "when")
    assert when["values"] == [{"value": None, "count": 2}] and when["greatest"] == "2024-01-08T10:00:00Z"
    assert api.collections()["collections"][0]["kinds"]["when"] == "time"
    assert parsed_filters({"a": 1}) == parsed_filters('{"a": 1}') == {"a": 1}
    assert parsed_filters({}) is parsed_filters("") is None
    for wrong in ("[1]", "nope", 5):
        with pytest.raises(SimileError, match="filters"):
            parsed_filters(wrong)  # type: ignore[arg-type]
    with pytest.raises(SimileError, match="'year' holds whole numbers"):
        api.facets("odd", "plain", '{"year": "old"}')
    assert exact_json({"a": [2**53, 2**53 + 1, True]}) == {"a": [2**53, str(2**53 + 1), True]}
