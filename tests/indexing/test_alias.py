"""Versions and their alias: back to the one before, failed builds, and pictures deleted by hand."""

import hashlib
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from pipeline import open_collection
from pipeline.errors import SimileError
from pipeline.indexing.alias import delete_points, rollback
from pipeline.points import point_id
from pipeline.store import open_store
from ray_jobs import delete
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
    monkeypatch.setattr("pipeline.store.edge.EdgeStore.count", lambda *_: 7)
    with pytest.raises(SimileError, match="took a point and does not count it"):
        index(home, source, projection={"dimension": 8})
    monkeypatch.undo()
    monkeypatch.setattr("pipeline.indexing.build.load_rows", lambda *_: (set(), 0))
    with pytest.raises(SimileError, match="does not add up: source 24, written 0"):
        index(home, source, projection={"dimension": 8})
    assert open_store(str(home)).aliases()["colours"] == live


def test_delete_by_id_and_filter_until_restored(index: Index, copied: Copied, capsys) -> None:
    home, source = copied
    store = open_store(str(home))
    red = point_id("colours", hashlib.sha256((source / "red" / "0.png").read_bytes()).hexdigest())
    assert delete_points(store, "colours", [red])["deleted"] == 1
    delete.main(["colours", "--filter", "label=blue", "--home", str(home)])
    assert json.loads(capsys.readouterr().out)["deleted"] == 8
    assert colours(home) == {"red": 7, "green": 8}
    for nothing, sentence in (
        (["--id", "nobody"], "'nobody' is no id of a point"),
        (["--filter", "label"], "must be FIELD=VALUE"),
        ([], "Name what to delete"),
    ):
        with pytest.raises(SystemExit):
            delete.main(["colours", *nothing, "--home", str(home)])
        assert sentence in capsys.readouterr().err
    with pytest.raises(SimileError, match="Nothing in 'colours' matches"):
        delete_points(store, "colours", [red])
    with pytest.raises(SimileError, match="no filter field artist; there are: label"):
        delete_points(store, "colours", filters={"artist": ["x"]})
    left_out = index(home, source)
    assert (left_out.written, left_out.skipped) == (0, 24)
    assert colours(home) == {"red": 7, "green": 8}
    rebuilt = index(home, source, projection={"dimension": 8})
    assert (rebuilt.written, rebuilt.skipped) == (15, 9)
    assert index(home, source, projection={"dimension": 8}).written == 0  # a rebuild does not forget them
    delete.main(["colours", "--restore", "--home", str(home)])
    assert json.loads(capsys.readouterr().out)["restored"] == 9
    back = index(home, source, projection={"dimension": 8})
    assert (back.written, back.embedded) == (9, 0)
    assert colours(home) == {"red": 8, "green": 8, "blue": 8}
