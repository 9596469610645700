"""What the columns beside the image become."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import datasets
import pyarrow as pa
import pytest

from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.sources import Source, decode_payload, field_kinds, resolve_source, split_columns
from tests.sources.conftest import LABELS, png, put, read_all, write_mirror


def test_payload_is_what_json_can_hold() -> None:
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "kind": datasets.ClassLabel(names=LABELS),
            "kinds": datasets.List(datasets.ClassLabel(names=LABELS)),
            "seen": datasets.Value("timestamp[s]"),
            "score": datasets.Value("float32"),
            "blob": datasets.Value("binary"),
            "box": {"x": datasets.Value("int32"), "what": datasets.ClassLabel(names=LABELS)},
        }
    )
    columns = ("kind", "kinds", "seen", "score", "blob", "box")
    source = Source("s", "parquet", "train", None, None, "image", features, columns, 2, None, (), "")
    seen = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None)
    table = pa.table(
        {
            "row": pa.array([1, 2], pa.uint64()),
            "kind": [1, -1],
            "kinds": [[0, 2], None],
            "seen": pa.array([seen, None], pa.timestamp("s")),
            "score": [0.5, float("nan")],
            "blob": [b"\x00\xff", None],
            "box": [{"x": 3, "what": 2}, {"x": 4, "what": None}],
        }
    )
    first, second = decode_payload(source, table)
    assert first == {
        "kind": "dog",
        "kinds": ["cat", "eel"],
        "seen": "2026-01-02T03:04:05Z",
        "score": 0.5,
        "blob": "AP8=",
        "box": {"x": 3, "what": "eel"},
    }
    assert second == dict.fromkeys(columns[:-1]) | {"box": {"x": 4, "what": None}}
    json.dumps([first, second], allow_nan=False)


def test_rows_without_payload_are_empty_dicts(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    put(tmp_path / "b.png", png(2))
    assert [row["payload"] for row in read_all(resolve_source(str(tmp_path)), columns=[])] == [{}, {}]


def test_a_label_without_end_is_cut(tmp_path: Path) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [1], title=["x" * 100_000])))
    table = pa.table({source.row_name("title"): ["x" * 100_000]})
    assert decode_payload(source, table) == [{"title": "x" * 9_999 + "…"}]


KINDS = datasets.Features(
    {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=LABELS),
        "text": datasets.Value("string"),
        "year": datasets.Value("int64"),
        "hash": datasets.Value("uint64"),
        "rating": datasets.Value("float32"),
        "price": datasets.Value("decimal128(10, 2)"),
        "account": datasets.Value("decimal128(38, 0)"),
        "sold": datasets.Value("bool"),
        "when": datasets.Value("timestamp[us, tz=Europe/Berlin]"),
        "day": datasets.Value("date32"),
        "tags": datasets.List(datasets.Value("string")),
        "semicolons": datasets.Value("string"),
        "nothing": datasets.Value("null"),
        "bbox": datasets.List(datasets.Value("float32")),
        "exif": {"make": datasets.Value("string")},
        "blob": datasets.Value("binary"),
        "grid": datasets.List(datasets.List(datasets.Value("int32"))),
    }
)
COLUMNS = tuple(name for name in KINDS if name != "image")


def source_of_kinds() -> Source:
    made = Source("s", "parquet", "train", None, None, "image", KINDS, COLUMNS, 2, None, (), "")
    return split_columns(made, {"semicolons": ";"})


def test_every_column_is_a_filter_or_is_refused_by_name() -> None:
    source = source_of_kinds()
    kinds = {name: (kind.kind, kind.many) for name, kind in field_kinds(source, None).items()}
    assert kinds == {
        "label": ("text", False),
        "text": ("text", False),
        "year": ("integer", False),
        "hash": ("text", False),
        "rating": ("number", False),
        "price": ("number", False),
        "account": ("text", False),
        "sold": ("boolean", False),
        "when": ("time", False),
        "day": ("time", False),
        "tags": ("text", True),
        "semicolons": ("text", True),
    }
    named = field_kinds(source, ["rating", "bbox", "nothing"])
    assert list(named) == ["rating", "bbox", "nothing"] and named["bbox"] == FieldKind("number", many=True)
    for column, holds in (("exif", "records"), ("blob", "bytes"), ("grid", "lists of lists")):
        with pytest.raises(SimileError, match=f"'{column}' of s cannot be a filter: it holds {holds}"):
            field_kinds(source, ["text", column])
    with pytest.raises(SimileError, match=r"\['stars'\] are not columns of s; there are: label, text"):
        field_kinds(source, ["rating", "stars"])
    for column in ("year", "nope"):
        with pytest.raises(SimileError, match=f"`lists:` names '{column}', which is no text column"):
            split_columns(source, {column: ";"})


def test_values_keep_what_json_and_qdrant_cannot_hold_otherwise() -> None:
    when = datetime(2026, 6, 1, 12, tzinfo=UTC)
    values = {
        "row": pa.array([1], pa.uint64()),
        "hash": pa.array([2**63 + 5], pa.uint64()),
        "price": pa.array([Decimal("12.50")], pa.decimal128(10, 2)),
        "account": pa.array([Decimal(10**30)], pa.decimal128(38, 0)),
        "when": pa.array([when], pa.timestamp("us", tz="Europe/Berlin")),
        "day": pa.array([when.date()]),
        "semicolons": ["red; big;"],
    }
    (payload,) = decode_payload(source_of_kinds(), pa.table(values))
    assert payload == {
        "hash": str(2**63 + 5),
        "price": 12.5,
        "account": str(10**30),
        "when": "2026-06-01T12:00:00Z",
        "day": "2026-06-01",
        "semicolons": ["red", "big"],
    }
