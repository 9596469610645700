"""A mirror in the Hub's layout: every row and byte of it arrives, in any choice of columns."""

from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sources import image_bytes, image_views, read_rows, resolve_source
from pipeline.sources.parquet_rows import _in_one_piece
from tests.sources.conftest import LABELS, png, put, read_all, refusal, write_mirror

pytestmark = pytest.mark.usefixtures("ray_here")


def test_mirror_gives_every_row_and_byte(tmp_path: Path) -> None:
    root = write_mirror(tmp_path / "a mirror, 100% #1", [5, 4])
    source = resolve_source(str(root))
    assert (source.kind, source.rows, len(source.files)) == ("parquet", 9, 2)
    assert (source.name, source.image_column, source.payload_columns) == (str(root), "img", ("label",))
    assert source.bytes == sum(Path(file).stat().st_size for file in source.files)
    rows = read_all(source)
    assert [row["bytes"] for row in rows] == [png(n) for n in range(9)]
    assert [row["payload"] for row in rows] == [{"label": LABELS[n % 3]} for n in range(9)]
    assert [row["file"] for row in rows] == ["data/train-00000-of-00002.parquet"] * 5 + [
        "data/train-00001-of-00002.parquet"
    ] * 4


def test_rows_are_numbered_in_their_file_for_every_choice_of_columns_and_limit(tmp_path: Path) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [5, 4], n=list(range(9)))))
    numbers = [*range(5), *range(4)]
    for columns in (None, ["n"], []):
        assert [row["row"] for row in read_all(source, columns=columns)] == numbers
    assert [row["row"] for row in read_all(source, limit=6)] == numbers[:6]


@pytest.mark.parametrize("limit", [1, 5, 6, 9, 100])
def test_limit_takes_the_first_rows_in_the_order_of_the_files(tmp_path: Path, limit: int) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [5, 4])))
    assert [row["bytes"] for row in read_all(source, limit=limit)] == [png(n) for n in range(min(limit, 9))]


def test_limit_opens_no_file_that_it_does_not_need(tmp_path: Path) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [5, 4])))
    Path(source.files[1]).unlink()
    assert len(read_all(source, limit=5)) == 5


def test_columns_with_names_that_simile_or_ray_use(tmp_path: Path) -> None:
    names = {"path": ["p0", "p1"], "file": ["f0", "f1"], "image": ["i0", "i1"]}
    source = resolve_source(str(write_mirror(tmp_path, [1, 1], **names)))
    rows = read_all(source)
    assert rows[1]["payload"] == {"label": "dog", "path": "p1", "file": "f1", "image": "i1"}
    assert rows[1]["file"] == "data/train-00001-of-00002.parquet"
    assert rows[1]["bytes"] == png(1)


def test_revision_follows_the_files(tmp_path: Path) -> None:
    root = write_mirror(tmp_path, [3])
    first = resolve_source(str(root)).revision
    assert first == resolve_source(str(root)).revision
    write_mirror(root, [4])
    assert first != resolve_source(str(root)).revision
    assert resolve_source(str(root)).rows == 4


def test_relative_paths_and_the_dataset_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mirror(tmp_path / "m", [2])
    put(tmp_path / "m/README.md", b"---\nlicense: cc0-1.0\ncredit: A. Painter\n---\n# M\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("m", "./m", "~/m"):
        source = resolve_source(name)
        assert (source.name, source.licence, source.credit) == (str(tmp_path / "m"), "cc0-1.0", "A. Painter")


def test_parquet_without_metadata_has_its_image_found_by_its_shape(tmp_path: Path) -> None:
    struct = pa.StructArray.from_arrays(
        [pa.array([png(7), None]), pa.array(["x.png", None])], ["bytes", "path"]
    )
    raw = pa.array([png(8), b""])
    (tmp_path / "data").mkdir()
    table = pa.table({"raw": raw, "photo": struct, "score": [1.5, float("nan")]})
    pq.write_table(table, tmp_path / "data/train-00000-of-00001.parquet")
    source = resolve_source(str(tmp_path))
    assert (source.image_column, source.payload_columns) == ("photo", ("raw", "score"))
    assert [row["bytes"] for row in read_all(source, columns=["score"])] == [png(7), None]
    assert [row["payload"] for row in read_all(source, columns=["score"])] == [
        {"score": 1.5},
        {"score": None},
    ]
    binary = resolve_source(str(tmp_path), image_column="raw")
    assert [row["bytes"] for row in read_all(binary)] == [png(8), b""]


def test_of_several_image_columns_one_has_to_be_chosen(tmp_path: Path) -> None:
    images = [{"bytes": png(1), "path": None}]
    features = datasets.Features(
        {"front": datasets.Image(), "back": datasets.Image(), "n": datasets.Value("int8")}
    )
    (tmp_path / "data").mkdir()
    rows = datasets.Dataset.from_dict({"front": images, "back": images, "n": [1]}, features=features)
    rows.to_parquet(tmp_path / "data/train-00000-of-00001.parquet")
    assert "several image columns: front, back; choose one in the YAML, as in `image: front`" in refusal(
        tmp_path
    )
    source = resolve_source(str(tmp_path), image_column="back")
    assert (source.image_column, source.payload_columns) == ("back", ("n",))
    assert "image columns: front, back" in refusal(tmp_path, image_column="side")


def test_wrong_arguments_of_read_rows(tmp_path: Path) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [1])))
    with pytest.raises(ValueError, match="not payload columns"):
        read_rows(source, columns=["nope"])
    with pytest.raises(ValueError, match="limit must be at least 1"):
        read_rows(source, limit=0)


def test_pictures_are_seen_where_they_lie() -> None:
    struct = pa.array([{"bytes": b"\xff\xd8one"}, None, {"bytes": None}, {"bytes": b"two"}])
    for column in (struct, pa.array([b"\xff\xd8one", None, None, b"two"])):
        table = pa.table({"image": column})
        views = list(image_views(table))
        assert list(image_bytes(table)) == [b"\xff\xd8one", None, None, b"two"]
        assert [None if view is None else bytes(view) for view in views] == list(image_bytes(table))
        first, last = (np.frombuffer(view, np.uint8).ctypes.data for view in (views[0], views[3]))
        assert last - first == len(b"\xff\xd8one")  # one beside the other in the column's own memory
        assert views[0][:2] == b"\xff\xd8"
        assert list(image_bytes(table.slice(1))) == [None, None, b"two"]
        assert list(image_bytes(table.slice(4))) == []
        assert list(image_bytes(table.slice(1, 2))) == [None, None]
    assert list(image_bytes(pa.table({"image": pa.nulls(2, pa.binary())}))) == [None, None]


def test_a_column_in_one_piece_is_not_copied() -> None:
    piece = pa.array([{"bytes": b"one"}, {"bytes": b"two"}])
    whole = _in_one_piece(pa.chunked_array([piece]))
    assert whole.field("bytes").buffers()[2].address == piece.field("bytes").buffers()[2].address
    assert _in_one_piece(pa.chunked_array([piece, piece])).to_pylist() == 2 * piece.to_pylist()
