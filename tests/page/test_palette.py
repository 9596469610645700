"""Search by colours on the page, in its address and its API."""

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from page.api.colours import ColourEndpoints
from page.api.search import SearchEndpoints
from page.collection_library import CollectionLibrary
from page.components.palette import NO_PICTURE, palette_html, repainted, without_hash
from page.components.search_controls import SearchOptions
from page.shared_state import Query, QueryPicture
from page.tabs.search_handlers import SearchHandlers
from page.tabs.search_update import SearchUpdate
from pipeline.errors import SimileError
from pipeline.images.palette import colour_histogram, palette_histogram
from tests.page.conftest import LIMIT

_BLUE = "1f3fa8"


@pytest.fixture(scope="module")
def library(demo_home: Path) -> CollectionLibrary:
    return CollectionLibrary(str(demo_home))


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))


def pressed(**data: Any) -> gr.EventData:
    return gr.EventData(None, data)


def test_swatches_can_be_changed_and_taken_away() -> None:
    html = palette_html(["#aa3311", "#ffeecc"])
    assert html.startswith('<details class="palette" open>')
    assert 'type="color" value="#aa3311" data-at="0" aria-label="Change colour 1, #aa3311"' in html
    assert 'data-remove="1" aria-label="Remove colour #ffeecc"' in html
    assert "open" not in palette_html([]).split(">")[0]


@pytest.mark.parametrize(
    ("before", "data", "after"),
    [
        ("", {"action": "add", "colour": "#AA3311"}, "aa3311"),
        ("aa3311", {"action": "add", "colour": "#000000"}, "aa3311,000000"),
        ("aa3311,000000", {"action": "add", "colour": "#aa3311"}, "000000,aa3311"),
        ("111111,222222,333333,444444,555555",
         {"action": "add", "colour": "#000000"},
         "222222,333333,444444,555555,000000"),
        ("aa3311,000000", {"action": "change", "at": 0, "colour": "#ffffff"}, "ffffff,000000"),
        ("aa3311,000000", {"action": "remove", "at": 0}, "000000"),
        ("aa3311", {"action": "remove", "at": 0}, ""),
    ],
)  # fmt: skip
def test_clicks_change_the_palette(before: str, data: dict[str, Any], after: str) -> None:
    text, html = repainted(before, None, pressed(**data))
    assert text == after and html.count("data-remove") == len(after.split(",")) * bool(after)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"action": "remove", "at": 1},
        {"action": "remove", "at": True},
        {"action": "add", "colour": 7},
        {"action": "add", "colour": "<b>"},
        {"action": "picture"},
    ],
)
def test_what_the_palette_does_not_send_changes_nothing(
    data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Info", said.append)
    assert repainted("aa3311", None, pressed(**data)) == (gr.skip(), gr.skip())
    assert said == [NO_PICTURE] * (data == {"action": "picture"})


def test_the_colours_of_the_picture_are_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "half.png"
    image = Image.new("RGB", (80, 40), "#cc2211")
    image.paste("#1133cc", (40, 0, 80, 40))
    image.save(file)
    text, _ = repainted("", Query((QueryPicture(str(file)),)), pressed(action="picture"))
    assert set(text.split(",")) == {"cc2211", "1133cc"}
    text, _ = repainted("", Query((QueryPicture(str(file), box=(0, 0, 0.4, 1)),)), pressed(action="picture"))
    assert text == "cc2211"


def answer(library: CollectionLibrary, query: Query | None = None, **options: Any) -> SearchUpdate:
    searches = SearchHandlers(library)
    return searches.answer(searches.asked(query, "wikiart", SearchOptions(k=12, **options)))


def test_a_palette_alone_finds_pictures_in_these_colours(library: CollectionLibrary) -> None:
    found = answer(library, colours=_BLUE)
    assert f"<p>12 closest of {LIMIT} " in found.status
    every = library.open("wikiart").sample(LIMIT)
    blue = palette_histogram(["#" + _BLUE])
    near = {hit.id: float(colour_histogram(hit.image()) @ blue) for hit in every}
    shown = [near[card.id] for card in found.cards]
    assert min(shown[:4]) >= np.quantile(list(near.values()), 0.8)
    assert not found.closeness_view["visible"]
    style = library.open("wikiart").facets("style")[0][0]
    passing = library.open("wikiart").find([], settings=found.searched.settings)  # type: ignore[union-attr]
    assert [hit.id for hit in passing.hits] == [card.id for card in found.cards]
    api = ColourEndpoints(library, SearchEndpoints(library))
    hits = api.search_colours(["#" + _BLUE], "wikiart", filters={"style": [style]})  # type: ignore[arg-type]
    assert hits["hits"] and {hit["payload"]["style"] for hit in hits["hits"]} == {style}


def test_the_palette_is_in_the_address(library: CollectionLibrary) -> None:
    searches = SearchHandlers(library)
    options = SearchOptions(
        encoder=library.open("wikiart").encoders[0], colours=without_hash(["#fff", "#1F3FA8"])
    )
    link = searches.link(searches.asked(None, "wikiart", options), options)
    assert link == "collection=wikiart&colours=ffffff,1f3fa8"


def test_a_picture_and_a_palette_together_by_the_api(library: CollectionLibrary) -> None:
    api = SearchEndpoints(library)
    by_colour = ColourEndpoints(library, api)
    one = library.open("wikiart").sample(1)[0]
    colours = by_colour.palette(one.id, "wikiart")["colours"]
    assert 1 <= len(colours) <= 5 and all(len(colour) == 7 for colour in colours)
    alone = api.search_by_id(one.id, "wikiart", k=10)["hits"]
    both = api.search_by_id(one.id, "wikiart", k=10, colours=["#" + _BLUE])["hits"]
    assert [hit["id"] for hit in alone] != [hit["id"] for hit in both]
    assert api.collections()["collections"][0]["colours"] is True
    with pytest.raises(SimileError, match="'blueish' is no colour"):
        by_colour.search_colours(["blueish"], "wikiart")
