"""Back to the version before; and a build that fails leaves the live version where it was."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from pipeline import open_collection
from pipeline.editing.delete import delete_points
from pipeline.editing.rollback import rollback
from pipeline.errors import SimileError
from pipeline.store import open_store
from ray_jobs.index import main as index_job
from tests.indexing.conftest import COLOURS, ENCODER, Copied, Index, colours, picture


def change_versions(home: Path, what: str) -> dict[str, Any]:
    """`python -m ray_jobs.index YAML --rollback` or `--prune`: its JSON line."""
    config = home / "colours.yaml"
    config.write_text(f"collection: colours\nsource: x\nencoders: [{{name: '{ENCODER}'}}]\n")
    out = io.StringIO()
    with redirect_stdout(out):
        index_job([str(config), "--home", str(home), what])
    return json.loads(out.getvalue())


def test_back_to_the_version_before_and_no_further(index: Index, copied: Copied) -> None:
    home, source = copied
    store = open_store(str(home))
    first = store.aliases()["colours"]
    second = index(home, source, projection={"dimension": 8}).version
    reader = open_collection("colours", home=str(home))
    assert change_versions(home, "--rollback") == {
        "collection": "colours", "version": first, "was": second, "deleted_and_back": 0,
    }  # fmt: skip
    reader = open_collection("colours", home=str(home))
    assert reader.unfinished is None  # a newer one that is finished is not being built
    assert len(reader.search(picture(COLOURS["red"], 1), k=3)) == 3
    with pytest.raises(SimileError, match="no earlier version"):
        rollback(store, "colours")
    assert change_versions(home, "--prune")["dropped"] == [second]
    assert store.versions("colours") == [first]


def test_a_rollback_says_what_it_brings_back(copied: Copied) -> None:
    store = open_store(str(copied[0]))
    delete_points(store, "colours", filters={"label": ["blue"]})
    assert rollback(store, "colours")["deleted_and_back"] == 8
    assert colours(copied[0])["blue"] == 8


def test_a_failed_build_leaves_the_alias(index: Index, copied: Copied, monkeypatch) -> None:
    home, source = copied
    live = open_store(str(home)).aliases()["colours"]
    monkeypatch.setattr("pipeline.store.embedded.EmbeddedStore.count", lambda *_: 7)
    with pytest.raises(SimileError, match="accepted a point but does not count it"):
        index(home, source, projection={"dimension": 8})
    monkeypatch.undo()
    monkeypatch.setattr("pipeline.indexing.build.load_units", lambda *_: (0, 0))
    with pytest.raises(SimileError, match="does not add up: source 24, written 0"):
        index(home, source, projection={"dimension": 8})
    assert open_store(str(home)).aliases()["colours"] == live
