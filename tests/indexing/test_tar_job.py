"""Jobs on tars: what was found in them is kept on the home, and a cluster is joined where they are many."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml

from pipeline.editing.erase import erase_points
from pipeline.store import open_store
from ray_jobs.index import main
from tests.indexing.conftest import COLOURS, Index, picture
from tests.indexing.test_nothing_new import CONFIG
from tests.sources.test_webdataset import tar

NAMES = list(COLOURS)


def write_tar(path: Path, colour: str, seed: int = 0) -> None:
    members: dict[str, bytes] = {}
    for n in range(seed, seed + 8):
        file = io.BytesIO()
        picture(COLOURS[colour], n).save(file, "PNG")
        members |= {f"{n}.png": file.getvalue(), f"{n}.txt": f"said of {colour}".encode()}
    tar(path, members)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in NAMES:
        write_tar(tmp_path / f"tars/{name}.tar", name)
    return tmp_path / "tars"


def command(home: Path, source: Path, *flags: str) -> list[str]:
    home.mkdir(exist_ok=True)
    (home / "colours.yaml").write_text(yaml.safe_dump(CONFIG | {"source": str(source)}))
    return [str(home / "colours.yaml"), "--home", str(home), *flags]


def test_a_job_reads_new_tars_alone_and_forgets_those_that_are_gone(
    index: Index,
    source: Path,
    tmp_path: Path,
    opened: list[str],
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    first = index(home, source)
    assert (first.written, sorted(opened)) == (24, ["blue.tar", "green.tar", "red.tar"])
    monkeypatch.setattr("pipeline.sources.webdataset._TARS_HERE", 0)  # a Ray of one's own is of no use for it
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was started"))
    main(command(home, source))
    assert "nothing is new" in capsys.readouterr().err
    assert len(opened) == 3
    write_tar(source / "more.tar", "red", 20)
    (source / "blue.tar").unlink()
    second = index(home, source, sync=True)
    assert (second.embedded, second.removed, opened[3:]) == (8, 8, ["more.tar"])
    assert len(list((home / "tars/colours").iterdir())) == 3


def test_what_tars_say_of_an_erased_picture_is_not_kept(
    index: Index, source: Path, tmp_path: Path, opened: list[str]
) -> None:
    home = tmp_path / "home"
    index(home, source)
    store = open_store(str(home))
    (point,) = store.scroll(store.aliases()["colours"], 1)
    erase_points(store, str(home), "colours", [str(point.id)])
    assert not (home / "tars/colours").exists()
    write_tar(source / "more.tar", "red", 20)
    assert index(home, source).embedded == 8
    assert not (home / "tars/colours").exists()
    assert len(opened) == 7


def test_a_cluster_is_joined_only_for_many_tars_that_are_new(
    index: Index, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    home = tmp_path / "home"
    index(home, source)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # where nothing answers
    monkeypatch.setattr("pipeline.sources.webdataset._TARS_HERE", 1)
    main(command(home, source))
    assert "nothing is new" in capsys.readouterr().err
    for name in NAMES[:2]:
        os.utime(source / f"{name}.tar", ns=(0, 1))
    with pytest.raises(SystemExit):
        main(command(home, source))
    said = capsys.readouterr().err
    assert "cannot be joined" in said and "nothing is new" not in said
    assert f"rows in {source}" not in said  # it was joined to look at the source


def test_a_dry_run_keeps_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # it gets as far as that
    with pytest.raises(SystemExit):
        main(command(tmp_path / "home", source, "--dry-run"))
    assert f"24 rows in {source}" in capsys.readouterr().err
    assert not (tmp_path / "home/tars").exists()
