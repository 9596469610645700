"""Of a folder that is a dataset, tars or lists: listed = rows + left out, whatever lies beside its files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sources import resolve_source
from tests.sources.conftest import png, put, rows_of, write_mirror
from tests.sources.test_webdataset import tar


def strangers(root: Path) -> dict[str, int]:
    """Put files into a folder that are no rows; by kind."""
    for name in ("README.md", "notes.txt", "metadata.csv", ".hidden.parquet", "._a.tar"):
        put(root / name, b"a,b\n1,2\n")
    return {"hidden": 2, ".csv": 1, ".md": 1, ".txt": 1}


def files_of(root: Path) -> int:
    return sum(path.is_file() for path in root.rglob("*"))


def test_beside_a_dataset(tmp_path: Path) -> None:
    expected = strangers(write_mirror(write_mirror(tmp_path, [2, 2]), [3], split="test"))
    shard = (tmp_path / "data/test-00000-of-00001.parquet").read_bytes()
    for name in ("more.parquet", "data/other.parquet"):
        put(tmp_path / name, shard)
    of_no_split, elsewhere = ".parquet in no split of this configuration", ".parquet of another split"
    for split, rows, files, others in (("train", 4, 2, 1), ("test", 3, 1, 2)):
        source = resolve_source(str(tmp_path), split=split)
        assert (source.rows, len(source.files)) == (rows, files)
        assert source.left_out == expected | {of_no_split: 2, elsewhere: others}
        assert len(source.files) + sum(source.left_out.values()) == files_of(tmp_path)
        assert source.notes == ()


def test_pictures_beside_a_dataset_may_be_those_of_its_rows(tmp_path: Path) -> None:
    put(tmp_path / "data/1.png", png(1))
    put(tmp_path / "logo.png", png(2))
    images = pa.array(
        [{"bytes": None, "path": "1.png"}], pa.struct({"bytes": pa.binary(), "path": pa.string()})
    )
    pq.write_table(pa.table({"image": images}), tmp_path / "data/train-00000-of-00001.parquet")
    source = resolve_source(str(tmp_path))
    assert [row["bytes"] for row in rows_of(source)] == [png(1)]
    assert source.left_out == {}
    assert source.notes == (
        "pictures lie beside the parquet files (2); they are read where a row names them",
    )


def test_a_shard_behind_a_link_is_a_row_and_no_note(tmp_path: Path) -> None:
    root = write_mirror(tmp_path / "in", [2, 2])
    shard = root / "data/train-00001-of-00002.parquet"
    shard.rename(tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    source = resolve_source(str(root))
    assert (source.rows, source.left_out, source.notes) == (4, {}, ())


def test_beside_tars(tmp_path: Path) -> None:
    expected = strangers(tmp_path)
    for split in ("train", "test"):
        tar(tmp_path / f"{split}-0.tar", {"0.png": png(0), "0.mp4": b"x"})
    source = resolve_source(str(tmp_path))
    assert (source.rows, source.left_out) == (1, expected | {".tar of another split": 1, ".mp4": 1})


def test_beside_lists(tmp_path: Path) -> None:
    expected = strangers(tmp_path)
    del expected[".csv"]  # which is a list
    put(tmp_path / "metadata.csv", b"url\n1.png\n")
    put(tmp_path / "b.jsonl", b'{"url": "1.png"}\n')
    put(tmp_path / "1.png", png(1))
    source = resolve_source(str(tmp_path), url_column="url")
    assert (source.rows, source.left_out) == (2, expected)


@pytest.mark.parametrize("kind", ["dataset", "tars", "lists"])
def test_a_folder_that_cannot_be_read_is_said_and_nothing_is_removed(
    kind: str, tmp_path: Path, closed: None
) -> None:
    if kind == "dataset":
        write_mirror(tmp_path, [2])
    elif kind == "tars":
        tar(tmp_path / "a.tar", {"0.png": png(0)})
    else:
        put(tmp_path / "a.csv", b"url\n1.png\n")
    put(tmp_path / "closed/b", b"1")
    source = resolve_source(str(tmp_path), url_column="url" if kind == "lists" else None)
    assert (source.left_out, source.unlisted) == ({"unreadable": 1}, 1)  # so --sync removes nothing
    assert "cannot be read, such as 'closed/'" in source.notes[0]
