"""What the columns beside the image become."""

import json
from datetime import UTC, datetime
from pathlib import Path

import datasets
import pyarrow as pa

from pipeline.sources import Source, decode_payload, resolve_source
from tests.sources.conftest import LABELS, png, put, read_all


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
            "row_key": pa.array([1, 2], pa.uint64()),
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
    assert [row["payload"] for row in read_all(resolve_source(str(tmp_path)))] == [{}, {}]
