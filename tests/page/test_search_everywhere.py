"""One query over all collections, on the page and by the API."""

from pathlib import Path
from typing import Any

import pytest

from page.api.search_everywhere import EverywhereEndpoints
from page.collection_library import CollectionLibrary
from page.components.cards import card, query_picture
from page.components.search_controls import SearchOptions
from page.shared_state import Query
from page.tabs.search_handlers import SearchHandlers
from page.tabs.search_update import SearchUpdate


@pytest.fixture(scope="module")
def library(demo_home: Path) -> CollectionLibrary:
    return CollectionLibrary(str(demo_home))


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))


def answer(library: CollectionLibrary, **options: Any) -> tuple[SearchUpdate, str]:
    """From a painting; and its id."""
    searches = SearchHandlers(library)
    own = library.open("wikiart").examples(1)[0]
    query = Query((query_picture(card(own, "wikiart")),))
    asked = searches.asked(query, "wikiart", SearchOptions(k=6, **options))
    return searches.answer(asked), own.id


def test_all_collections_in_one_order(library: CollectionLibrary) -> None:
    found, own = answer(library, everywhere="merged")
    assert "<p>6 closest in 2 collections" in found.status
    assert len(found.cards) == 6 and own not in [one.id for one in found.cards]
    rarity = [one.unusual for one in found.cards]
    assert rarity == sorted(rarity, reverse=True)
    titles = {"wikiart": "WikiArt", "cifar10": "CIFAR-10"}
    assert all(one.label.startswith(titles[one.collection]) for one in found.cards)


def test_all_collections_side_by_side(library: CollectionLibrary) -> None:
    found, own = answer(library, everywhere="beside")
    assert {one.collection for one in found.cards} == {"wikiart", "cifar10"} and len(found.cards) == 12
    assert found.grid.count('<section class="column"') == 2 and own not in [one.id for one in found.cards]


def test_a_program_searches_everywhere(library: CollectionLibrary) -> None:
    api = EverywhereEndpoints(library)
    own = library.open("cifar10").examples(1)[0]
    told = api.search_everywhere(own.data_url, k=5)
    assert len(told["hits"]) == 5 and {one["collection"] for one in told["hits"]} <= {"wikiart", "cifar10"}
    assert told["hits"][0]["id"] == own.id and told["searched"] == ["cifar10", "wikiart"]
    one = api.search_everywhere(own.data_url, ["wikiart"], k=5)
    assert {hit["collection"] for hit in one["hits"]} == {"wikiart"}
