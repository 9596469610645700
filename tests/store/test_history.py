"""Which version was live before which: a rollback undoes the last change, whatever the versions' age."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.editing.rollback import rollback
from pipeline.errors import SimileError
from pipeline.store import Manifest, Store, open_store
from pipeline.store.history import list_versions, make_live
from pipeline.store.protocol import vector_params
from tests.stand_ins.qdrant import QdrantStandIn

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:x", vector="v")])


@pytest.fixture(params=["edge", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "edge":
        yield open_store(home=str(tmp_path))
    else:
        with QdrantStandIn() as server:
            yield open_store(url=server.url)


def build(store: Store, name: str, rows: int = 0) -> str:
    """An empty version that says that it holds so many rows."""
    version = f"things__{name}"
    store.create(version, CONFIG, vector_params(CONFIG, {"v": 2}, {}), {})
    store.write_manifest(version, Manifest(collection="things", rows=rows, built="2026-11-28T10:00:00+00:00"))
    return version


def live(store: Store) -> str:
    return store.aliases()["things"]


def test_a_rollback_goes_to_what_was_live_before_and_not_to_the_next_older_one(store: Store) -> None:
    a, b, c, d = (build(store, name) for name in "abcd")
    make_live(store, "things", a, "indexed")
    make_live(store, "things", c, "indexed")
    rollback(store, "things")
    assert live(store) == a
    make_live(store, "things", d, "added")  # b and c are older than d, and a was live
    assert rollback(store, "things")["version"] == a
    make_live(store, "things", b, "indexed")
    make_live(store, "things", d, "deleted")
    assert [rollback(store, "things")["version"] for _ in range(2)] == [b, a]
    with pytest.raises(SimileError, match="'things' has no earlier version to go back to"):
        rollback(store, "things")


def test_changes_in_place_keep_what_was_live_before(store: Store) -> None:
    a, b = build(store, "a"), build(store, "b")
    make_live(store, "things", a, "indexed")
    make_live(store, "things", b, "indexed")
    make_live(store, "things", b, "deleted")
    assert [(line.version, line.why) for line in list_versions(store, "things")] == [
        (b, "deleted"),
        (a, "indexed"),
    ]
    assert rollback(store, "things")["version"] == a


def test_a_version_that_was_dropped_is_not_gone_back_to(store: Store) -> None:
    a, b, c = (build(store, name) for name in "abc")
    for version in (a, b, c):
        make_live(store, "things", version, "indexed")
    store.drop(b)
    with pytest.raises(SimileError, match="no earlier version"):
        rollback(store, "things")


def test_versions_of_older_similes_have_the_next_older_one_before_them(store: Store) -> None:
    a, b = build(store, "a"), build(store, "b")
    store.switch("things", b)
    assert [(line.version, line.state, line.why) for line in list_versions(store, "things")] == [
        (b, "live", ""),
        (a, "previous", ""),
    ]
    assert rollback(store, "things")["version"] == a


def test_the_command_lists_them(tmp_path: Path, capsys: Any) -> None:
    store = open_store(home=str(tmp_path))
    a, b = build(store, "a", rows=1200), build(store, "b", rows=7)
    make_live(store, "things", a, "indexed")
    make_live(store, "things", b, "added")
    main(["versions", "things", "--home", str(tmp_path)])
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["version", "built", "rows", "why"]
    assert first.split() == ["live", b, "2026-11-28T10:00:00+00:00", "7", "added"]
    assert second.split() == ["previous", a, "2026-11-28T10:00:00+00:00", "1,200", "indexed"]
    main(["versions", "things", "--home", str(tmp_path), "--json"])
    assert [line["rows"] for line in json.loads(capsys.readouterr().out)] == [7, 1200]
    with pytest.raises(SystemExit):
        main(["versions", "nothing", "--home", str(tmp_path)])
    assert capsys.readouterr().err.startswith("error: Collection 'nothing' does not exist; there are: things")
