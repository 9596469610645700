"""A copy of a version takes the disk that its points take, not the size of the engine's files."""

from pathlib import Path

import pytest

from pipeline.home import copy_sparse
from pipeline.store import open_store
from pipeline.store.protocol import vector_params
from tests.store.test_graphs import CONFIG, D, write


def on_disk(folder: Path) -> int:
    """Bytes of the blocks that are taken; holes take none."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def test_a_copy_takes_no_more_disk_than_the_version_it_is_of(tmp_path: Path) -> None:
    store = open_store(home=str(tmp_path))
    store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": D}, {"cnn_code": D}, 300), {})
    write(store, "things__1", slice(0, 300))
    store.copy("things__1", "things__2")
    write(store, "things__2", slice(300, 301))
    store.copy("things__2", "things__3")
    first, second, third = (on_disk(tmp_path / "store" / f"things__{i}") for i in (1, 2, 3))
    assert first < 5e6
    assert second < 1.2 * first + 1e6
    assert third < 1.2 * first + 1e6
    assert store.count("things__3") == 301


@pytest.mark.parametrize(
    "data", [b"", b"x", bytes(100_000), bytes(50_000) + b"x" + bytes(70_000), b"x" * 40_000 + bytes(3)]
)
def test_a_sparse_copy_has_the_same_bytes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    copy_sparse(str(tmp_path / "file"), str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == data
