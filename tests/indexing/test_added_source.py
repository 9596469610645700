"""Jobs of two sources of one collection: a picture of both has both labels and both places."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline import open_collection
from pipeline.editing.delete import delete_points, restore_points
from pipeline.editing.rollback import prune, rollback
from pipeline.store import open_store
from tests.indexing.conftest import COLOURS, Copied, Index, colours, picture
from tests.sources.conftest import put
from tests.stand_ins.qdrant import QdrantStandIn


def told(home: Path, url: str | None = None) -> dict[str, tuple[set[str], set[str]]]:
    """Id -> labels and places of a picture. Their order is that of the sources' addresses."""
    collection = open_collection("colours", home=str(home), url=url)
    found = collection.get_many(list(collection.ids()))
    return {hit.id: (set(np.atleast_1d(hit.payload["label"]).tolist()), set(hit.places)) for hit in found}


def of_both(home: Path, url: str | None = None) -> list[tuple[list[str], list[str]]]:
    """Labels and places of the pictures that have several."""
    return sorted(
        (sorted(names), sorted(places)) for names, places in told(home, url).values() if len(names) > 1
    )


@pytest.fixture
def favourites(tmp_path: Path) -> Path:
    """Two pictures of the first source, and one of its own."""
    root = tmp_path / "other" / "favourites"
    root.mkdir(parents=True)
    for name, colour, seed in (("x", "red", 0), ("y", "blue", 5), ("z", "green", 77)):
        picture(COLOURS[colour], seed).save(root / f"{name}.png")
    return root.parent


EXPECTED = [
    (["blue", "favourites"], ["blue/5.png:0", "favourites/y.png:0"]),
    (["favourites", "red"], ["favourites/x.png:0", "red/0.png:0"]),
]
MOVED = [EXPECTED[0], (["favourites", "green"], ["favourites/x.png:0", "green/was-red.png:0"])]


@pytest.mark.long
def test_an_added_source_joins_the_pictures_that_are_there(
    index: Index, copied: Copied, favourites: Path
) -> None:
    home, source = copied
    added = index(home, favourites, add=True)
    assert (added.written, added.skipped, added.embedded, added.kept) == (3, 0, 1, 22)
    assert of_both(home) == EXPECTED
    assert colours(home) == {"red": 8, "green": 8, "blue": 8, "favourites": 3}
    before = told(home)
    again = index(home, favourites, add=True)
    first = index(home, source)
    assert (again.written, again.skipped, again.version) == (0, 3, added.version)
    assert (first.written, first.skipped, first.version) == (0, 24, added.version)
    assert told(home) == before
    (source / "red" / "0.png").rename(source / "green" / "was-red.png")
    changed = index(home, source)
    assert (changed.written, changed.embedded) == (1, 0)
    assert of_both(home) == MOVED
    anew = index(home, source, projection={"dimension": 8})
    assert (anew.written, anew.kept, anew.embedded) == (24, 1, 0)
    assert of_both(home) == MOVED
    assert str(favourites) in open_collection("colours", home=str(home)).manifest.added
    store = open_store(str(home))
    rollback(store, "colours")
    assert of_both(home) == MOVED
    prune(store, "colours")
    assert index(home, favourites, add=True).written == 0
    synced = index(home, source, sync=True)
    assert (synced.written, synced.removed) == (2, 1)
    assert of_both(home) == []


@pytest.mark.long
def test_an_added_source_joins_them_on_a_server(index: Index, copied: Copied, favourites: Path) -> None:
    home, source = copied
    with QdrantStandIn() as server:
        first = index(home, source, url=server.url)
        added = index(home, favourites, url=server.url, add=True)
        assert (added.version, added.written) == (first.version, 3)
        assert of_both(home, server.url) == EXPECTED
        store = open_store(url=server.url)
        deleted = delete_points(store, "colours", filters={"label": ["favourites"]})
        assert deleted["deleted"] == 3
        assert index(home, favourites, url=server.url, add=True).written == 0
        restore_points(store, "colours")
        assert index(home, source, url=server.url).written == 2
        assert of_both(home, server.url) == EXPECTED  # without its own job, the added source is heard
        assert index(home, favourites, url=server.url, add=True).written == 1
        assert of_both(home, server.url) == EXPECTED


@pytest.mark.long
def test_a_row_that_is_read_at_last_joins_the_picture_that_is_there(index: Index, tmp_path: Path) -> None:
    """No point is new, so that their number does not tell that there is something to write."""
    picture(COLOURS["red"], 0).save(tmp_path / "0.png")
    source = put(tmp_path / "list.csv", b"url,label\n0.png,first\ncopy.png,second\n")
    settings = {"url_column": "url", "max_reject_fraction": 0.5}
    assert index(tmp_path / "home", source, **settings).rejected == 1
    shutil.copy(tmp_path / "0.png", tmp_path / "copy.png")
    account = index(tmp_path / "home", source, retry_rejects=True, **settings)
    assert (account.written, account.skipped, account.embedded) == (1, 1, 0)
    assert of_both(tmp_path / "home") == [(["first", "second"], ["list.csv:0", "list.csv:1"])]
