"""One query over several collections: hits are compared by how rare they are in their own collection."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import SimileError
from pipeline.search import Collection, Example, Found, Hit, Settings
from pipeline.search.everywhere import find_everywhere, merged, order_of
from pipeline.store import open_store
from tests.search.conftest import IDS, fill, grey


def hit(name: str, score: float, unusual: float | None) -> Hit:
    return Hit(name, score, 1 - score, {}, b"", unusual=unusual)


def found(*hits: Hit) -> Found:
    return Found(list(hits), 0.0, 0.0, False, None)


def test_rarity_and_not_the_score_decides() -> None:
    there = {
        "birds": found(hit("a", 0.9, 0.98), hit("b", 0.89, 0.9)),
        "boats": found(hit("c", 0.4, 1.0), hit("d", 0.3, 1.0), hit("e", 0.1, 0.95)),
        "cats": found(hit("f", 0.5, 1.0)),
    }
    assert [(name, one.id) for name, one in merged(there, 5)] == [
        *(("boats", "c"), ("cats", "f"), ("boats", "d")),
        *(("birds", "a"), ("boats", "e")),
    ]
    by_rank = merged(there, 4, order_of(Settings(colours=["#fff"]), has_likes=True))
    assert [one.id for _, one in by_rank] == ["a", "c", "f", "b"]
    by_score = merged({"old": found(hit("g", 0.99, None)), **there}, 2, "score")
    assert [one.id for _, one in by_score] == ["g", "a"]
    with pytest.raises(SimileError, match="'old' does not say how near its hits are"):
        merged({**there, "old": found(hit("g", 0.99, None))}, 5)


def test_collections_without_a_field_are_left_out(greys: Collection, tmp_path: Path) -> None:
    store = open_store(home=str(tmp_path))
    store.switch("others", fill(store, calibrated=True))
    other = Collection("others", store)
    lacking = other._current.manifest.model_copy(update={"filters": ("artist",), "colours": None})
    other._current = replace(other._current, manifest=lacking)

    def likes(_: Collection) -> list[Example]:
        return [Example(picture=grey(50))]

    both = find_everywhere([greys, other], likes, Settings(k=3))
    assert set(both) == {"greys", "others"} and both["others"].hits[0].id == IDS[5]
    assert [one.id for _, one in merged(both, 2)] == [IDS[5], IDS[5]]
    assert set(find_everywhere([greys, other], likes, Settings(filters={"style": ["odd"]}))) == {"greys"}
    assert set(find_everywhere([greys, other], likes, Settings(colours=["#323232"]))) == {"greys"}
    with pytest.raises(SimileError, match="No collection has every field and colour that this search uses"):
        find_everywhere([other], likes, Settings(filters={"style": ["odd"]}))
    with pytest.raises(SimileError, match="9 collections are too many"):
        find_everywhere([greys] * 9, likes, Settings())
