"""Pictures that pass filters, without a query: the twelve grey pictures of the other tests, at 0° to 110°."""

import pytest

from pipeline.errors import SimileError
from pipeline.search import Collection
from pipeline.search.browse import browse
from tests.search.conftest import IDS


def test_typical_pictures_come_first_and_pages_follow_each_other(greys: Collection) -> None:
    hits, total = browse(greys, None, 12)
    assert total == 12 and len({hit.id for hit in hits}) == 12
    assert {hit.id for hit in hits[:2]} == {IDS[5], IDS[6]}, "at 50° and 60°, about the mean of 55°"
    assert {hit.id for hit in hits[-2:]} == {IDS[0], IDS[11]} and hits[0].unusual is None
    first, _ = browse(greys, None, 4)  # pictures as far on either side of the mean come in pairs
    second, _ = browse(greys, None, 8, 4)
    assert {hit.id for hit in first} == {hit.id for hit in hits[:4]}
    assert {hit.id for hit in second} == {hit.id for hit in hits[4:]}


def test_only_what_passes_is_shown_and_counted(greys: Collection) -> None:
    field = greys.filters[0]
    value, count = greys.facets(field)[0]
    hits, total = browse(greys, {field: [value]}, 12)
    assert total == count == len(hits) and {hit.payload[field] for hit in hits} == {value}
    assert browse(greys, {field: ["nothing has this"]}, 12) == ([], 0)
    with pytest.raises(SimileError, match="nope"):
        browse(greys, {"nope": ["x"]}, 12)
