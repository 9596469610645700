"""Search by a palette, alone and with pictures, on both stores: picture i has the grey level 10 · i."""

from pathlib import Path

import pytest

from pipeline.errors import SimileError
from pipeline.search import Collection, Example, Settings, colours_of
from pipeline.search.colour_search import fused_order
from pipeline.store import Store, open_store
from tests.search.conftest import IDS, fill, grey

_LIGHT = "#6e6e6e"  # of picture 11, the lightest one


def places(hits: list) -> list[int]:
    return [IDS.index(hit.id) for hit in hits]


def test_pictures_in_a_colour_come_first(greys: Collection) -> None:
    hits = greys.search(colours=[_LIGHT], k=4)
    assert places(hits) == [11, 10, 9, 8]
    assert hits[0].score == pytest.approx(1, abs=0.01) and hits[0].score <= 1
    assert hits[0].unusual is None and hits[0].weak is None  # colours are not calibrated
    assert hits[0].thumbnail and hits[0].label


def test_filters_pages_and_limits_hold(greys: Collection) -> None:
    odd = greys.search(colours=[_LIGHT], k=3, filters={"style": "odd"})
    assert places(odd) == [11, 9, 7]
    second = greys.find([], settings=Settings(k=2, offset=2, colours=[_LIGHT]))
    assert places(second.hits) == [9, 8] and second.more
    one_each = greys.find([], settings=Settings(k=3, colours=[_LIGHT], at_most={"artist": 1}))
    assert places(one_each.hits) == [11, 10, 9]
    hamming = greys.search(colours=[_LIGHT], k=2, metric="hamming")  # of vectors; colours have no codes
    assert places(hamming) == [11, 10]


def test_a_picture_and_a_colour_count_together(greys: Collection) -> None:
    """Nearest to picture 0 and lightest: both ends are best by one of the two only."""
    alone = greys.find([Example(id=IDS[0])], settings=Settings(k=11))
    both = greys.find([Example(id=IDS[0])], settings=Settings(k=11, colours=["#282828"]))  # of picture 4
    assert places(alone.hits) == list(range(1, 12))
    assert places(both.hits)[0] in (3, 4) and set(places(both.hits)) == set(range(1, 12))
    assert both.hits[0].score == pytest.approx(alone.hits[places(both.hits)[0] - 1].score, abs=1e-4)
    page = greys.find([Example(id=IDS[0])], settings=Settings(k=3, offset=2, colours=["#282828"]))
    assert places(page.hits) == places(both.hits)[2:5] and page.more
    assert both.close is None and both.is_close  # what is close by both is not known


def test_the_colours_of_a_picture_find_it(greys: Collection) -> None:
    assert places(greys.search(colours=colours_of(grey(70)), k=1)) == [7]


def test_without_a_query_or_with_wrong_colours_one_sentence(greys: Collection) -> None:
    with pytest.raises(SimileError, match="There is nothing to look for"):
        greys.search()
    with pytest.raises(SimileError, match="'reddish' is no colour"):
        greys.search(grey(3), colours=["reddish"])
    with pytest.raises(
        SimileError, match=r"Colours have no score of a match; ask for a number of hits \(k\)"
    ):
        greys.find([], settings=Settings(matches_only=True, colours=[_LIGHT]))


def test_a_collection_of_before_says_what_to_do(tmp_path: Path) -> None:
    store: Store = open_store(home=str(tmp_path))
    fill(store, calibrated=True, colours=False)
    older = Collection("greys", store)
    assert places(older.search(grey(50), k=1)) == [5]
    with pytest.raises(SimileError, match=r"'greys' was indexed without the colours .* with --refit"):
        older.search(colours=[_LIGHT])


def test_ranks_by_two_measures_are_joined() -> None:
    assert fused_order([0.3, 0.2, 0.1]) == [0, 1, 2]
    assert fused_order([0, 0, 0, 1]) == [0, 3, 1, 2]  # first by one and last by the other, and the other way
    assert fused_order([0.1, 0.9, 0.8]) == [1, 0, 2]
