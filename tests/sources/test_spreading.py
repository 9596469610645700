"""Files are looked into by tasks as by threads: the same is found, and errors are the same sentences."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SimileError
from pipeline.sources import resolve_source
from pipeline.sources.footers import read_footers
from pipeline.sources.source import Asked, Measured, Wanted
from pipeline.sources.webdataset import tar_source
from tests.sources.conftest import png, put, refusal, rows_of, write_mirror
from tests.sources.test_webdataset import tar


class Tasks:
    """Runs work as a cluster does: pickled, in any order. It notes what each task was given."""

    def __init__(self) -> None:
        self.given: list[Sequence[str]] = []

    def __call__(self, work: Callable[[Any], Any], each: Sequence[Sequence[str]]) -> Iterator[Any]:
        for chunk in reversed(each):
            self.given.append(chunk)
            yield pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(work))(chunk)))


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> Tasks:
    """Two files a task, and none here."""
    for name in ("footers._FOOTERS", "webdataset._TARS"):
        monkeypatch.setattr(f"pipeline.sources.{name}_HERE", 0)
        monkeypatch.setattr(f"pipeline.sources.{name}_A_TASK", 2)
    return Tasks()


def shards(root: Path, count: int = 5) -> Path:
    return write_mirror(root / "parquet", [1] * count)


def tars(root: Path, count: int = 5) -> Path:
    for n in range(count):
        tar(root / f"tars/{n}.tar", {"0.png": png(n), "0.txt": str(n).encode()})
    return root / "tars"


@pytest.mark.parametrize("write", [shards, tars])
def test_tasks_find_what_threads_find(write: Callable[[Path], Path], tasks: Tasks, tmp_path: Path) -> None:
    root = write(tmp_path)
    here, there = resolve_source(str(root)), resolve_source(str(root), spread=tasks)
    assert (here.groups, here.files, here.features) == (there.groups, there.files, there.features)
    assert rows_of(here) == rows_of(there) and here.rows == 5
    assert [len(chunk) for chunk in tasks.given] == [1, 2, 2]
    assert len({name for chunk in tasks.given for name in chunk}) == 5


def test_few_files_are_read_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for write in (shards, tars):
        assert resolve_source(str(write(tmp_path)), spread=lambda *_: pytest.fail("tasks")).rows == 5


def test_a_damaged_file_is_the_same_sentence(tasks: Tasks, tmp_path: Path) -> None:
    put(shards(tmp_path) / "data/train-00003-of-00005.parquet", b"PAR1 no more")
    said = [refusal(tmp_path / "parquet", spread=spread) for spread in (None, tasks)]
    assert said[0] == said[1]
    assert "train-00003-of-00005.parquet' is not a parquet file" in said[0]
    put(tars(tmp_path) / "3.tar", b"hello" * 500)
    faults = [resolve_source(str(tmp_path / "tars"), spread=spread).faults for spread in (None, tasks)]
    assert faults[0] == faults[1]
    assert (faults[0][0].place, len(faults[0])) == ("3.tar", 1)


@pytest.mark.parametrize("write", [shards, tars])
def test_a_file_that_is_gone_when_it_is_read_is_the_same_sentence(
    write: Callable[[Path], Path], tasks: Tasks, tmp_path: Path
) -> None:
    root = write(tmp_path)
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    (root / names[3]).unlink()
    said = []
    for spread in (None, tasks):
        with pytest.raises(SimileError) as caught:
            if write is shards:
                read_footers("it", [f"{root}/{name}" for name in names], None, spread)
            else:
                asked = Asked("train", Wanted(None, True), spread=spread)
                tar_source("it", f"{root}/", names, asked, measured=Measured({}, ""))
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert f"{names[3]}'" in said[0] and "cannot be read" in said[0]
