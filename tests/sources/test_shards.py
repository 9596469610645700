"""Parquet files whose columns differ, and the shapes that pictures have in them."""

import datetime
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sources import resolve_source
from tests.sources.conftest import png, put, read_all, refusal, rows_of

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def pictures(*shades: int | None, kind: pa.DataType = STRUCT) -> pa.Array:
    return pa.array([{"bytes": png(s), "path": None} if s is not None else None for s in shades], kind)


def shards(root: Path, *tables: pa.Table) -> Path:
    for number, table in enumerate(tables):
        path = root / f"data/train-{number:05d}-of-{len(tables):05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    return root


def captioned(shade: int, **columns: list | pa.Array) -> pa.Table:
    return pa.table({"image": pictures(shade), **columns})


def read_here(root: Path) -> list[tuple[bytes | None, dict]]:
    """Bytes and payload of each row, read without Ray."""
    source = resolve_source(str(root))
    out = [(row["bytes"], row["payload"]) for row in rows_of(source)]
    assert len(out) == source.rows
    return out


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([{}, {"x": ["b"]}], [None, "b"]),
        ([{"x": ["a"]}, {}], ["a", None]),
        ([{"x": pa.nulls(1)}, {"x": ["b"]}], [None, "b"]),
        ([{"x": [1]}, {"x": [2.5]}], [1.0, 2.5]),
        ([{"x": pa.array([1], pa.int8())}, {"x": [2**40]}], [1, 2**40]),
        ([{"x": ["a"]}, {"x": pa.array(["b"], pa.large_string())}], ["a", "b"]),
        ([{"x": pa.array(["a"]).dictionary_encode()}, {"x": ["b"]}], ["a", "b"]),
        ([{"x": [[1]]}, {"x": [[]]}], [[1], []]),
    ],
    ids=["extra", "missing", "null", "int then float", "widths", "large", "dictionary", "lists"],
)
def test_columns_of_all_shards_are_merged(tmp_path: Path, columns: list[dict], expected: list) -> None:
    source = resolve_source(str(shards(tmp_path, *(captioned(n, **more) for n, more in enumerate(columns)))))
    assert source.payload_columns == ("x",)
    kind = source.schema.field("x").type
    cast = [pa.array([value], kind)[0].as_py() for value in expected]
    assert cast == expected and [type(value) for value in cast] == [type(value) for value in expected]


@pytest.mark.usefixtures("ray_here")
def test_rows_of_merged_shards(tmp_path: Path) -> None:
    first = captioned(0, x=[1], early=["e"], path=["p"])
    source = resolve_source(str(shards(tmp_path, first, captioned(1, late=["l"], x=[2.5]), captioned(2))))
    rows = read_all(source)
    assert [row["bytes"] for row in rows] == [png(0), png(1), png(2)]
    nothing = dict.fromkeys(("x", "early", "path", "late"))
    assert [row["payload"] for row in rows] == [
        nothing | {"x": 1.0, "early": "e", "path": "p"},
        nothing | {"x": 2.5, "late": "l"},
        nothing,
    ]


FAR, NEAR = datetime.datetime(9999, 12, 31), datetime.datetime(1990, 5, 17)
WIDE, NARROW = 2**60 + 1, 7
COUNTS, SHARES = pa.map_(pa.string(), pa.int64()), pa.map_(pa.string(), pa.float64())


@pytest.mark.parametrize(
    ("column", "other"),
    [
        (pa.array([FAR, NEAR], pa.timestamp("us")), pa.array([NEAR], pa.timestamp("ns"))),
        (pa.array([FAR, NEAR], pa.timestamp("s", "UTC")), pa.array([NEAR], pa.timestamp("ns", "UTC"))),
        (pa.array([FAR - NEAR, NEAR - NEAR]), pa.array([NEAR - NEAR], pa.duration("ns"))),
        (pa.array([WIDE, NARROW]), pa.array([0.5])),
        (pa.array([WIDE, NARROW]).dictionary_encode(), pa.array([0.5])),
        (pa.array([2**64 - 1, NARROW], pa.uint64()), pa.array([-1])),
        (pa.array([[WIDE], [NARROW]]), pa.array([[0.5]])),
        (pa.array([{"n": WIDE}, {"n": NARROW}]), pa.array([{"n": 0.5}])),
        (pa.array([[("n", WIDE)], [("n", NARROW)]], COUNTS), pa.array([[("n", 0.5)]], SHARES)),
    ],
    ids=lambda column: str(column.type),
)
def test_a_value_that_the_type_of_all_files_does_not_hold_costs_itself_alone(
    tmp_path: Path, column: pa.Array, other: pa.Array, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"x {column.type} {other.type}"  # a column is warned of once in a process
    first = pa.table({"image": pictures(0, 1), name: column})
    found = read_here(shards(tmp_path, first, captioned(2, **{name: other})))
    assert [data for data, _ in found] == [png(0), png(1), png(2)]
    kept = [payload[name] for _, payload in found]
    assert kept[0] is None and kept[1] is not None and kept[2] is not None
    (said,) = caplog.messages
    assert f"the column '{name}' holds a value" in said and "does not fit into" in said


def test_a_clash_names_column_shards_and_types(tmp_path: Path) -> None:
    said = refusal(
        shards(
            tmp_path, captioned(0), captioned(1, x=pa.nulls(1)), captioned(2, x=[1]), captioned(3, x=["a"])
        )
    )
    assert "column 'x' is int64 in 'data/train-00002-of-00004.parquet'" in said
    assert "string in 'data/train-00003-of-00004.parquet'" in said


def test_classes_that_differ_between_shards_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number, names in enumerate((["cat", "dog"], ["dog", "cat"])):
        features = datasets.Features({"image": datasets.Image(), "y": datasets.ClassLabel(names=names)})
        rows = {"image": [{"bytes": png(number), "path": None}], "y": [0]}
        path = tmp_path / f"data/train-{number:05d}-of-00002.parquet"
        datasets.Dataset.from_dict(rows, features=features).to_parquet(path)
    said = refusal(tmp_path)
    assert "column 'y' has the classes cat, dog" in said and "dog, cat in 'data/train-00001" in said


@pytest.mark.parametrize(
    "kind",
    [STRUCT, pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())])],
    ids=["binary", "large"],
)
def test_pictures_as_structs(tmp_path: Path, kind: pa.DataType) -> None:
    root = shards(tmp_path, pa.table({"image": pictures(1, None, kind=kind), "n": [1, 2]}))
    assert read_here(root) == [(png(1), {"n": 1}), (None, {"n": 2})]


def test_plain_bytes_are_chosen_by_name(tmp_path: Path) -> None:
    root = shards(tmp_path, pa.table({"raw": pa.array([png(1)], pa.large_binary()), "t": ["x"]}))
    assert "only raw, t" in refusal(root)
    assert resolve_source(str(root), image_column="raw").image_column == "raw"


def test_pictures_as_paths_are_read_beside_the_shard_and_nowhere_else(tmp_path: Path) -> None:
    put(tmp_path / "secret.png", b"secret")
    root = tmp_path / "set"
    put(root / "data/beside.png", png(1))
    put(root / "images/below.png", png(2))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    names = [
        "beside.png",
        "images/below.png",
        "../../secret.png",
        str(tmp_path / "secret.png"),
        "link.png",
        None,
    ]
    images = pa.array([{"bytes": None, "path": name} for name in names], STRUCT)
    shards(root, pa.table({"image": images}))
    assert [data for data, _ in read_here(root)] == [png(1), png(2), None, None, None, None]


def test_lists_of_pictures_become_a_row_each(tmp_path: Path) -> None:
    lists = pa.array(
        [
            [{"bytes": png(1), "path": None}, {"bytes": png(2), "path": None}],
            [],
            None,
            [{"bytes": png(3), "path": None}],
        ],
        pa.list_(STRUCT),
    )
    assert read_here(shards(tmp_path, pa.table({"images": lists, "n": [1, 2, 3, 4]}))) == [
        (png(1), {"n": 1}),
        (png(2), {"n": 1}),
        (None, {"n": 2}),
        (None, {"n": 3}),
        (png(3), {"n": 4}),
    ]


def test_maps_are_objects(tmp_path: Path) -> None:
    exif = pa.array([[("make", "Leica"), ("iso", "100")], None], pa.map_(pa.string(), pa.string()))
    root = shards(tmp_path, pa.table({"image": pictures(1, 2), "exif": exif}))
    assert [payload for _, payload in read_here(root)] == [
        {"exif": {"make": "Leica", "iso": "100"}},
        {"exif": None},
    ]


def test_parquet_with_pictures_beside_it_and_brackets_in_its_path(tmp_path: Path) -> None:
    root = shards(tmp_path / "My [backup] set", captioned(1), captioned(2))
    for name in ("assets/banner.png", "assets/a.png", "assets/b.png"):
        put(root / name, png(9))
    assert [data for data, _ in read_here(root)] == [png(1), png(2)]


def test_a_table_without_pictures_beside_a_folder_of_them(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    pq.write_table(pa.table({"x": [1]}), tmp_path / "embeddings.parquet")
    source = resolve_source(str(tmp_path))
    assert (source.kind, source.rows, source.left_out) == ("imagefolder", 1, {".parquet": 1})
