"""What the driver makes of the rows that it was told of: payloads of repeats, rejects, files that changed."""

import hashlib
import json

import pyarrow as pa
import pytest

from pipeline.indexing.account import Account
from pipeline.indexing.embed import _keep_missing
from pipeline.indexing.job import too_many
from pipeline.indexing.plan import CHANGED, Plan, merged_payload, rejects_of, rows_of
from pipeline.sources import Fault
from pipeline.sources.source import NOT_READABLE


def plan_of(*rows: tuple[str, str | None, dict], faults: tuple[Fault, ...] = ()) -> Plan:
    """(file, id, payload) of each row."""
    seen: set[str | None] = {None}
    firsts = [not (point in seen or seen.add(point)) for _, point, _ in rows]
    table = pa.table(
        {
            "file": pa.array([file for file, _, _ in rows], pa.string()),
            "row": pa.array([0] * len(rows), pa.int64()),
            "id": pa.array([point for _, point, _ in rows], pa.string()),
            "payload": [json.dumps(payload) for _, _, payload in rows],
            "rules": pa.array([1] * len(rows), pa.int8()),
            "unread": [None if point else NOT_READABLE._asdict() for _, point, _ in rows],
            "first": firsts,
        }
    )
    return Plan(table, faults=faults)


def test_a_picture_in_two_folders_is_found_under_both_labels() -> None:
    plan = plan_of(
        ("cats/1.jpg", "a", {"label": "cats", "path": "cats/1.jpg"}),
        ("best/1.jpg", "a", {"label": "best", "path": "best/1.jpg"}),
        ("cats/2.jpg", "b", {"label": "cats", "path": "cats/2.jpg"}),
    )
    rows = rows_of(plan, None)
    assert rows["a"].places == ("cats/1.jpg:0", "best/1.jpg:0")
    assert json.loads(rows["a"].payload) == {"label": ["cats", "best"], "path": ["cats/1.jpg", "best/1.jpg"]}
    assert json.loads(rows["b"].payload) == {"label": "cats", "path": "cats/2.jpg"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 1], 1),
        ([None, 1], 1),
        ([None, None], None),
        ([1, True], [1, True]),
        ([["a"], ["a"]], ["a"]),
        ([["a"], ["b", "a"]], ["a", "b"]),
        ([{"x": 1}, {"x": 2}], {"x": 1}),
        ([[{"x": 1}], [{"x": 2}]], [{"x": 1}, {"x": 2}]),
    ],
)
def test_values_of_one_picture_are_joined(values: list, expected: object) -> None:
    merged = json.loads(merged_payload([json.dumps({"field": v, "n": n}) for n, v in enumerate(values)]))
    assert merged == {"field": expected, "n": [0, 1]}


def test_rows_that_the_listing_refuses_are_counted_and_rejected() -> None:
    fault = Fault("metadata.csv:3", "the row names no file")
    plan = plan_of(("a.jpg", "a", {}), ("gone.jpg", None, {}), faults=(fault,))
    rejects = rejects_of(plan, {})
    assert [(reject.place, reject.reason) for reject in rejects] == [
        ("gone.jpg:0", "the file could not be read"),
        ("metadata.csv:3", "the row names no file"),
    ]
    account = Account("c", rejects=rejects)
    account.enter(plan, {"a"}, set())
    assert (account.source, account.written, account.rejected) == (3, 1, 2)
    assert account.balanced


def test_a_file_that_changed_after_it_was_hashed_is_rejected_and_not_embedded() -> None:
    def row(key: int, then: bytes, now: bytes | None) -> tuple[dict, dict]:
        digest = hashlib.sha256(then).hexdigest()
        missing = {"row_key": key, "id": f"id{key}", "digest": digest, "needs": 0b11}
        return {"row_key": key, "image": {"bytes": now, "path": "x"}}, missing

    rows, missing = zip(*(row(1, b"a", b"a"), row(2, b"b", b"other"), row(3, b"c", None)), strict=True)
    keys = pa.field("row_key", pa.uint64())
    image = pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    known = pa.Table.from_pylist(list(missing)).cast(
        pa.schema([keys, ("id", pa.string()), ("digest", pa.string()), ("needs", pa.int64())])
    )
    kept = _keep_missing(pa.Table.from_pylist(list(rows), schema=pa.schema([keys, image])), known)
    assert kept.select(["id", "needs"]).to_pylist() == [
        {"id": "id1", "needs": 0b11},
        {"id": "id2", "needs": 0},
        {"id": "id3", "needs": 0},
    ]
    plan = plan_of(("1.jpg", "id1", {}), ("2.jpg", "id2", {}), ("copy.jpg", "id2", {}))
    assert [(r.place, r.reason) for r in rejects_of(plan, {}, {"id2"})] == [
        ("2.jpg:0", CHANGED),
        ("copy.jpg:0", CHANGED),
    ]


@pytest.mark.parametrize(
    ("rejected", "rows", "fraction", "stops"),
    [
        (1, 10, 0.05, False),
        (9, 100, 0.05, False),
        (10, 100, 0.05, True),
        (10, 200, 0.05, False),
        (5, 10, 0.05, False),
        (6, 10, 0.05, True),
        (1, 1, 0.05, True),
        (0, 0, 0.0, False),
        (1, 1000, 0.0, True),
    ],
)
def test_how_many_rejects_stop_a_job(rejected: int, rows: int, fraction: float, stops: bool) -> None:
    assert too_many(rejected, rows, fraction) is stops
