"""Pages, browsing, exports and endpoints give the pictures that pass the same filters, and no others."""

import json
from pathlib import Path

import numpy as np
import pytest

from page.api.search import SearchEndpoints
from page.collection_library import CollectionLibrary
from pipeline.search import Collection, Example, Settings
from pipeline.search.browse import browse
from pipeline.store import open_store
from tests.search.conftest import IDS, direction, fill

FILTERS = {"style": ["even"]}
PASSING = {IDS[at] for at in range(0, 12, 2)}


def test_pages_of_a_search_are_the_whole_search(greys: Collection) -> None:
    asked = [Example(vector=direction(15))]
    whole = [hit.id for hit in greys.find(asked, settings=Settings(k=12, filters=FILTERS)).hits]
    assert set(whole) == PASSING
    for metric in ("cosine", "hamming"):
        pages = [greys.find(asked, settings=Settings(metric, 4, offset, FILTERS)) for offset in (0, 4, 8)]
        found = [hit.id for page in pages for hit in page.hits]
        assert sorted(found) == sorted(PASSING) and len(found) == len(set(found))
        assert [page.more for page in pages] == [True, False, False]


def test_everything_that_is_taken_along_passes(greys: Collection, tmp_path: Path) -> None:
    assert {hit.id for hit in browse(greys, FILTERS, 12)[0]} == PASSING
    assert set(greys.to_arrow(filters=FILTERS)["id"].to_pylist()) == PASSING
    assert {one for batch in greys.iter_vectors(filters=FILTERS, batch=2) for one in batch.ids} == PASSING
    greys.to_npy(str(tmp_path / "arrays"), filters=FILTERS)
    assert set(np.load(tmp_path / "arrays" / "ids.npy").tolist()) == PASSING


@pytest.mark.parametrize("filters", ['{"style": "Even"}', {"style": {"not": "odd"}}])
def test_endpoints_follow_them(tmp_path: Path, filters: object) -> None:
    fill(open_store(home=str(tmp_path)), calibrated=True)
    api = SearchEndpoints(CollectionLibrary(str(tmp_path)))
    vector = str(direction(15).tolist())
    whole = api.search_by_vector(vector, "greys", k=12, filters=filters)["hits"]
    assert {hit["id"] for hit in whole} == PASSING
    pages = [
        hit["id"]
        for offset in (0, 4)
        for hit in api.search_by_vector(vector, "greys", k=4, offset=offset, filters=filters)["hits"]
    ]
    assert pages == [hit["id"] for hit in whole]
    exported = [
        row["id"]
        for offset in (0, 4)
        for row in json.loads(
            api.export(vector, "greys", "json", k=4, offset=offset, filters=filters)["text"]
        )["hits"]
    ]
    assert exported == pages
    near = api.search_by_id(IDS[0], "greys", k=12, filters=filters)["hits"]
    assert {hit["id"] for hit in near} == PASSING - {IDS[0]}
