"""Programs name values as they are stored or as the page shows them; what does not exist is answered."""

import json
import re
from pathlib import Path

import pytest

from page.api.arguments import ARGUMENTS
from page.api.filter_values import known_values
from page.api.search import SearchEndpoints
from page.collection_library import CollectionLibrary
from page.wording import readable
from pipeline.errors import SimileError


@pytest.fixture(scope="module")
def library(demo_home: Path) -> CollectionLibrary:
    return CollectionLibrary(str(demo_home))


def test_a_value_is_found_as_it_is_stored_and_as_it_is_shown(library: CollectionLibrary) -> None:
    found, api = library.open("wikiart"), SearchEndpoints(library)
    artist, count = next((a, n) for a, n in found.facets("artist") if readable(a) != a)
    hit = next(iter(found.ids()))
    for written in (artist, readable(artist), readable(artist).upper()):
        filters = json.dumps({"artist": [written]})
        hits = api.search_by_id(hit, "wikiart", k=100, filters=filters)["hits"]
        assert {one["payload"]["artist"] for one in hits} == {artist} and count - 1 <= len(hits) <= count
    others = known_values(found, {"artist": {"not": [readable(artist)]}})
    assert others == {"artist": {"not": [artist]}}
    assert known_values(found, {}) is known_values(found, None) is None


def test_a_value_that_does_not_exist_is_answered_with_the_nearest(library: CollectionLibrary) -> None:
    artist = library.open("wikiart").facets("artist")[0][0]
    api = SearchEndpoints(library)
    with pytest.raises(SimileError, match=f"artist has no value .*; the nearest are: .*{artist}"):
        api.facets("wikiart", "style", json.dumps({"artist": readable(artist)[:-1] + "q"}))
    with pytest.raises(SimileError, match="the endpoint /facets lists those"):
        api.facets("wikiart", "style", json.dumps({"artist": "#"}))


def test_the_examples_of_filters_name_fields_and_values_of_the_paintings() -> None:
    import pyarrow.parquet as pq

    samples = Path(__file__).resolve().parents[2] / "samples/wikiart/data"
    table = pq.read_table(next(samples.glob("*.parquet")), columns=["artist", "style"])
    first = re.findall(r"\{.*?\}\}", ARGUMENTS["filters"])[0]
    wanted = json.loads(first)
    names = table.schema.metadata[b"huggingface"].decode()
    assert wanted == {"artist": ["Claude Monet"], "style": {"not": "Cubism"}}
    assert "claude-monet" in names.casefold() or "claude monet" in names.casefold()
    assert "cubism" in names.casefold()
