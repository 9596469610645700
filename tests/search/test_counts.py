"""Counts are kept for a while, and are approximate where exact ones would take longer than the search."""

import pytest

from pipeline.search import counts
from pipeline.search.collection import Collection
from pipeline.search.counts import Counted
from pipeline.store import Store
from pipeline.store.manifest import Version


class Counting:
    """What the store is asked for."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.asked: list[tuple[str, bool]] = []

    def count(self, version: str, exact: bool) -> int:
        self.asked.append(("count", exact))
        return self.store.count(version, exact=exact)

    def facet(self, version: str, field: str, limit: int, query_filter: object, exact: bool) -> list:
        self.asked.append((field, exact))
        return self.store.facet(version, field, limit, None, exact=exact)


@pytest.mark.parametrize("exact", [True, False])
def test_each_count_is_asked_for_once(
    greys: Collection, store: Store, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "EXACT_UP_TO", 12 if exact else 11)
    name = greys.version
    version = Version(name, greys.manifest.model_copy(update={"rows": 12}))
    counting = Counting(store)
    kept = counts.Counts(counting)  # type: ignore[arg-type]
    for _ in range(3):
        assert kept.points(version) == Counted(12, exact)
        assert sorted(kept.values(version, "style", 9, None)) == [("even", 6), ("odd", 6)]
    assert counting.asked == [("count", exact), ("style", exact)]
    assert len(kept.values(version, "style", 1, None)) == 1  # another question


def test_about_is_said_where_a_count_is_approximate() -> None:
    assert (str(Counted(1234, True)), str(Counted(501234, False))) == ("1,234", "about 501,234")
