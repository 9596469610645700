"""What is erased is in no file of the home any more, and stays away whatever is indexed afterwards."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.editing import erase
from pipeline.editing.erase import erase_points
from pipeline.errors import SimileError
from pipeline.points import point_id
from pipeline.staging.erased import erased_list
from pipeline.staging.ids import id_texts, id_words
from pipeline.staging.rejects import Reject, RejectLog, read_rejects
from pipeline.store import open_store
from ray_jobs import delete
from tests.indexing.conftest import Copied, Index, colours


def id_of(source: Path, name: str) -> str:
    return point_id("colours", hashlib.sha256((source / name).read_bytes()).hexdigest())


def vector_of(home: Path, point: str) -> bytes:
    """The bytes of a stored vector; the engine keeps vectors as they are, and payloads compressed."""
    store = open_store(str(home))
    (record,) = store.retrieve(store.aliases()["colours"], [point], with_vectors=["cnn"])
    return np.array(record.vector["cnn"], np.float32).tobytes()  # type: ignore[index,call-overload]


def is_in_store(home: Path, vector: bytes) -> bool:
    """Whether a file of the embedded engine holds these bytes."""
    files = (path for path in (home / "store").rglob("*") if path.is_file())
    return any(vector in path.read_bytes() for path in files)


def staged(home: Path) -> Iterator[tuple[Path, str, str | None]]:
    """File, id and payload of every staged row; vectors have no payload."""
    for path in (home / "staging" / "colours").rglob("*.parquet"):
        table = pq.read_table(path)
        payloads = table["payload"].to_pylist() if "payload" in table.column_names else [None] * len(table)
        for point, payload in zip(id_texts(id_words(table["id"])), payloads, strict=True):
            yield path, point, payload


def test_nothing_is_left_of_an_erased_picture(index: Index, copied: Copied, capsys) -> None:
    home, source = copied
    red = id_of(source, "red/0.png")
    rejected = [Reject(point, "decode", "cut short", place="red/0.png:0") for point in (red, None)]
    log = RejectLog()
    log.add(rejected)
    log.write(str(home), "colours")
    (home / "duplicates" / "colours").mkdir(parents=True)
    vectors = [vector_of(home, point) for point in (red, id_of(source, "red/1.png"))]
    versions = open_store(str(home)).versions("colours")
    delete.main(["colours", "--id", red, "--erase", "--home", str(home)])
    told = json.loads(capsys.readouterr().out)
    assert (told["erased"], told["rows"], told["rejects"]) == (1, 23, 1)
    assert told["staged"] == {"parts": 1, "vectors": 1}
    assert told["dropped"] == versions
    assert told["places"] == ["red/0.png:0"]
    assert told["sources"] == [str(source)]
    assert [is_in_store(home, vector) for vector in vectors] == [False, True]
    assert {payload for _, point, payload in staged(home) if point == red} == {None}
    assert [path.parent.name for path, point, _ in staged(home) if point == red] == ["parts"]
    assert read_rejects(str(home), "colours") == [rejected[1]]
    assert not (home / "duplicates" / "colours").exists()
    assert erased_list(str(home), "colours").pending == {}
    assert colours(home) == {"red": 7, "green": 8, "blue": 8}


@pytest.mark.long
def test_it_stays_away_from_later_jobs_and_from_a_restore(index: Index, copied: Copied, capsys) -> None:
    home, source = copied
    red, green = id_of(source, "red/0.png"), id_of(source, "green/0.png")
    store, vector = open_store(str(home)), vector_of(home, green)
    delete.main(["colours", "--id", green, "--home", str(home)])
    assert is_in_store(home, vector), "a deletion alone leaves it in the files of the engine"
    erase_points(store, str(home), "colours", [red])
    delete.main(["colours", "--restore", "--home", str(home)])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["restored"] == 1
    again = index(home, source)
    assert (again.written, again.skipped, again.embedded) == (1, 23, 0)
    assert colours(home) == {"red": 7, "green": 8, "blue": 8}
    # The same bytes under another name, in a unit that is read anew.
    shutil.copy(source / "red" / "0.png", source / "blue" / "copy.png")
    moved = index(home, source)
    assert (moved.written, moved.skipped, moved.embedded, moved.rejected) == (0, 25, 0, 0)
    assert {payload for _, point, payload in staged(home) if point == red} == {None}
    rebuilt = index(home, source, projection={"dimension": 8})
    assert (rebuilt.written, rebuilt.skipped) == (23, 2)
    assert colours(home) == {"red": 7, "green": 8, "blue": 8}
    # Its home remembers it also where the collection is made anew.
    shutil.rmtree(home / "store")
    assert index(home, source).written == 23


def test_an_erasure_that_was_cut_short_is_gone_on_with(
    copied: Copied, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    home, source = copied
    store, red = open_store(str(home)), id_of(source, "red/0.png")

    def killed(*_: object) -> dict[str, int]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(erase, "erase_staged", killed)
        erase_points(store, str(home), "colours", [red])
    assert list(erased_list(str(home), "colours").pending) == [red]
    delete.main(["colours", "--erase", "--home", str(home)])
    told = json.loads(capsys.readouterr().out)
    assert (told["erased"], told["rows"], told["staged"]["parts"]) == (1, 23, 1)
    assert told["places"] == ["red/0.png:0"]
    assert erased_list(str(home), "colours").erased == {red}


def test_what_cannot_be_erased_is_said(copied: Copied) -> None:
    home, _ = copied
    store = open_store(str(home))
    with pytest.raises(SimileError, match="have no picture '00000000-0000-0000-0000-000000000000'"):
        erase_points(store, str(home), "colours", ["00000000-0000-0000-0000-000000000000"])
    with pytest.raises(SimileError, match="Nothing in 'colours' is left to erase"):
        erase_points(store, str(home), "colours")
    assert not (home / "staging" / "colours" / "erased.json").exists()


def test_files_that_a_page_keeps_of_it_go(copied: Copied, tmp_path: Path, monkeypatch) -> None:
    home, source = copied
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "page"))
    red, thumbnail = id_of(source, "red/0.png"), b""
    for path in (home / "staging" / "colours" / "parts").glob("*.parquet"):
        for row in pq.read_table(path, columns=["id", "thumbnail"]).to_pylist():
            if row["id"] == bytes.fromhex(red.replace("-", "")):
                thumbnail = row["thumbnail"]
    files = {"a/picture.webp": thumbnail, "b/picture.webp": b"x" * len(thumbnail), "c/map-000.webp": b"y"}
    for name, data in files.items():
        (tmp_path / "page" / name).parent.mkdir(parents=True)
        (tmp_path / "page" / name).write_bytes(data)
    assert erase_points(open_store(str(home)), str(home), "colours", [red])["page_files"] == 2
    assert [path.parent.name for path in (tmp_path / "page").rglob("*.webp")] == ["b"]
