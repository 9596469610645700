"""Erasing where nothing is staged, in both stores: points, thumbnail files, and what was made of them."""

from pathlib import Path

import pytest

from pipeline.editing.erase import erase_points
from pipeline.editing.tags import own_tags
from pipeline.errors import SimileError
from pipeline.points import RESERVED
from pipeline.search import Collection, Example, Settings
from pipeline.staging.erased import erased_list
from pipeline.store import Store
from pipeline.store.thumbnail_files import ThumbnailFiles
from tests.search.conftest import IDS, direction, fill, grey_encoder, greys, store  # noqa: F401 (fixtures)


def test_a_point_and_what_was_made_of_it_are_gone(store: Store, tmp_path: Path) -> None:  # noqa: F811
    fill(store, calibrated=True)
    found = Collection("greys", store, str(tmp_path))
    found.tag(IDS[:4], "blue")
    for name in ("insights.json", "map-000.webp", "evaluation.json"):
        store.attach(found.version, name, b"{}")
    ThumbnailFiles(str(tmp_path)).keep("greys", IDS[0], b"a thumbnail")
    vector = direction(0)
    everything = Settings(k=12)
    before = found.find([Example(vector=vector)], settings=everything).hits
    told = erase_points(store, str(tmp_path), "greys", [IDS[0]], {"style": ["odd"]})
    assert (told["erased"], told["rows"], told["thumbnails"]) == (7, 5, 1)
    found.refresh()
    left = [hit.id for hit in found.find([Example(vector=vector)], settings=everything).hits]
    assert left == [hit.id for hit in before if hit.id in IDS[2::2]]
    assert found.get(IDS[2]).payload[RESERVED] == Collection("greys", store).get(IDS[2]).payload[RESERVED]
    assert found.get(IDS[2]).thumbnail
    assert [found.attachment(name) for name in ("insights.json", "map-000.webp")] == [None, None]
    assert own_tags(store, found.version).keys() >= {IDS[2]}
    assert erased_list(str(tmp_path), "greys").erased == {IDS[0], *IDS[1::2]}
    assert not list((tmp_path / "thumbnails").rglob(IDS[0]))
    for _ in range(2):  # once more is no error: a backup may have brought it back
        assert erase_points(store, str(tmp_path), "greys", [IDS[2]])["rows"] == 4
    with pytest.raises(SimileError, match="is left to erase"):
        erase_points(store, str(tmp_path), "greys", (), {"style": ["odd"]})
