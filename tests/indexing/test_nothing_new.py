"""A job that finds nothing new says so from the listing of its source, without Ray."""

import json
from dataclasses import replace
from typing import Any

import pytest
import ray
import yaml

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.editing.delete import restore_points
from pipeline.indexing.account import Account
from pipeline.indexing.plan import nothing_new
from pipeline.indexing.preflight import IndexJob, find_all
from pipeline.store import open_store
from ray_jobs.index import main
from tests.indexing.conftest import COLOURS, ENCODER, Copied, Index, picture

CONFIG: dict[str, Any] = {
    "collection": "colours",
    "encoders": [EncoderConfig(name=ENCODER, vector="cnn").model_dump()],
    "projection": {"dimension": 16},
}


def look(copied: Copied, changes: dict[str, Any] | None = None, **flags: Any) -> Account | None:
    """What `nothing_new` says of a job with changes of the configuration, or other flags."""
    home, source = copied
    config = CollectionConfig.model_validate(CONFIG | {"source": str(source)} | (changes or {}))
    job = replace(IndexJob(config, str(home)), **flags)
    return nothing_new(job, find_all(job))


def test_nothing_new_is_known_without_ray(
    copied: Copied, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    home, source = copied
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was started"))
    (home / "colours.yaml").write_text(yaml.safe_dump(CONFIG | {"source": str(source)}))
    main([str(home / "colours.yaml"), "--home", str(home)])
    said, err = capsys.readouterr()
    result = json.loads(said)
    assert [result[key] for key in ("source", "written", "skipped", "rejected")] == [24, 0, 24, 0]
    assert result["version"] == open_store(str(home)).aliases()["colours"]
    assert "nothing is new" in err


def test_what_is_left_out_is_told_again(index: Index, copied: Copied) -> None:
    home, source = copied
    (source / "red" / "notes.txt").write_text("of the painter")
    first = index(home, source, limit=20)
    again = look(copied, limit=20)
    assert again is not None
    assert again.left_out == first.left_out == {".txt": 1, "beyond --limit": 4}
    assert (again.listed, again.source) == (first.listed, first.source) == (25, 20)


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, {"limit": 3}),
        ({}, {"sync": True}),
        ({}, {"refit": True}),
        ({}, {"retry_rejects": True}),
        ({"title": "Hues"}, {}),
        ({"credit": "me"}, {}),
        ({"max_reject_fraction": 0.5}, {}),
        ({"projection": {"dimension": 8}}, {}),
        ({"search": {"oversampling": 3.0}}, {}),
    ],
)
def test_other_settings_need_a_job(indexed: Copied, changes: dict[str, Any], flags: dict[str, Any]) -> None:
    assert look(indexed, changes, **flags) is None


def test_a_changed_source_needs_a_job(copied: Copied) -> None:
    assert look(copied) is not None
    changed = copied[1] / "red" / "0.png"
    picture(COLOURS["red"], 77).save(changed)
    assert look(copied) is None


def test_what_is_restored_needs_a_job(copied: Copied) -> None:
    restore_points(open_store(str(copied[0])), "colours")
    assert look(copied) is None


def test_a_store_that_lost_points_needs_a_job(copied: Copied) -> None:
    store = open_store(str(copied[0]))
    version = store.aliases()["colours"]
    manifest = store.read_manifest(version)
    store.write_manifest(version, manifest.model_copy(update={"rows": 25}))
    assert look(copied) is None
