"""What is not whole, or not what was saved, is not restored; and nothing is overwritten by accident."""

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.backup import restore_collection, save_collection
from pipeline.errors import SimileError
from pipeline.store import Store, open_store
from tests.backup.conftest import N, fill


def test_nothing_is_overwritten_without_being_told(embedded: Store, tmp_path: Path) -> None:
    archive = str(tmp_path / "archive")
    save_collection(embedded, "things", archive)
    before = (tmp_path / "archive" / "archive.json").read_bytes()
    with pytest.raises(SimileError, match="holds an archive already; name another folder, or add --over"):
        save_collection(embedded, "things", archive)
    with pytest.raises(
        SimileError, match="Collection 'things' exists already; choose another name with --as"
    ):
        restore_collection(embedded, archive)
    assert (tmp_path / "archive" / "archive.json").read_bytes() == before
    assert embedded.versions("things") == ["things__1"]
    save_collection(embedded, "things", archive, overwrite=True)
    assert len(list((tmp_path / "archive").glob("data-*"))) == 1  # the files of the first one are gone
    version = restore_collection(embedded, archive, overwrite=True)["version"]
    assert embedded.aliases() == {"things": version}
    assert embedded.versions("things") == ["things__1", version]  # --rollback goes back


def test_an_archive_that_was_cut_short_is_refused_and_can_be_made_anew(
    embedded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = str(tmp_path / "archive")
    with monkeypatch.context() as broken, pytest.raises(OSError, match="full"):
        broken.setattr(embedded, "attachments", lambda version: (_ for _ in ()).throw(OSError("disk full")))
        save_collection(embedded, "things", archive)
    with pytest.raises(SimileError, match=r"holds no whole archive: it has no archive\.json"):
        restore_collection(embedded, archive, "others")
    save_collection(embedded, "things", archive)
    assert len(list((tmp_path / "archive").glob("data-*"))) == 1
    with monkeypatch.context() as broken, pytest.raises(OSError, match="full"):
        broken.setattr(embedded, "attachments", lambda version: (_ for _ in ()).throw(OSError("disk full")))
        save_collection(embedded, "things", archive, overwrite=True)
    assert (
        restore_collection(embedded, archive, "others")["points"] == N
    )  # the older one is whole until the new one is


@pytest.mark.parametrize("file", ["points-00000.parquet", "manifest.json", "attachments/report.html"])
def test_a_file_that_is_not_what_was_written_is_refused(file: str, embedded: Store, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    save_collection(embedded, "things", str(archive))
    (path,) = archive.glob(f"data-*/{file}")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SimileError, match=f"is damaged: data-.*/{file} is not what was written"):
        restore_collection(embedded, str(archive), "others")
    path.unlink()
    with pytest.raises(SimileError, match=f"lacks its file data-.*/{file}; take another copy"):
        restore_collection(embedded, str(archive), "others")
    assert embedded.aliases() == {"things": "things__1"} and embedded.versions("others") == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 99}, "has format 99, and this Simile reads up to 1; update Simile"),
        ({"points": None}, "is damaged: points: "),
        ({"attachments": {"../report.html": {"path": "a", "bytes": 1, "sha256": ""}}}, "is damaged: attachm"),
        ({"manifest": {"path": "../a", "bytes": 1, "sha256": ""}}, "'../a' is outside the archive"),
    ],
)
def test_an_archive_of_somebody_else_is_read_with_care(
    change: dict[str, Any], sentence: str, embedded: Store, tmp_path: Path
) -> None:
    save_collection(embedded, "things", str(tmp_path / "archive"))
    index = tmp_path / "archive" / "archive.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | change))
    with pytest.raises(SimileError, match=sentence):
        restore_collection(embedded, str(tmp_path / "archive"), "others")


@pytest.mark.parametrize("fault", ["lost", "changed", "added"])
def test_what_the_store_did_not_keep_does_not_go_live(
    fault: str, embedded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upsert(version: str, ids: list[str], vectors: dict[str, np.ndarray], payloads: list[dict]) -> None:
        if fault == "changed":
            vectors["v"] = np.where(np.arange(len(ids))[:, None] == 5, -vectors["v"], vectors["v"])
        if fault == "added":
            ids = [*ids[:-1], str(uuid.uuid4())]
        n = len(ids) - (fault == "lost")
        original(version, ids[:n], {name: rows[:n] for name, rows in vectors.items()}, payloads[:n])

    save_collection(embedded, "things", str(tmp_path / "archive"))
    original = embedded.upsert
    monkeypatch.setattr(embedded, "upsert", upsert)
    with pytest.raises(SimileError, match=r"differs from the archive after .* stays as it was"):
        restore_collection(embedded, str(tmp_path / "archive"), overwrite=True)
    assert embedded.aliases() == {"things": "things__1"}
    monkeypatch.undo()
    left = embedded.versions("things")
    version = restore_collection(embedded, str(tmp_path / "archive"), overwrite=True)["version"]
    assert embedded.versions("things") == ["things__1", version] and len(left) == 2  # the bad one is gone


def test_a_collection_that_changes_while_it_is_saved_is_refused(
    embedded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([N, N + 1])
    monkeypatch.setattr(embedded, "count", lambda version: next(counts))
    with pytest.raises(SimileError, match=r"'things' changed while it was saved: 23 points were read"):
        save_collection(embedded, "things", str(tmp_path / "archive"))
    assert not (tmp_path / "archive" / "archive.json").exists()


def test_nothing_to_save_is_said(tmp_path: Path) -> None:
    store = fill(open_store(home=str(tmp_path / "home")), points=0)
    with pytest.raises(SimileError, match="'things' holds no picture"):
        save_collection(store, "things", str(tmp_path / "archive"))
    with pytest.raises(SimileError, match="Collection 'nothing' does not exist; there are: things"):
        save_collection(store, "nothing", str(tmp_path / "archive"))
    with pytest.raises(SimileError, match="The archive 'archive' is a relative path"):
        save_collection(store, "things", "archive")
