"""What is decided on ids alone: choices, records and joined values."""

import json

import numpy as np
import pytest

from pipeline.indexing.choice import CURRENT, KEPT, LIVE, IdRows, choose, joined_mark
from pipeline.indexing.merged_payload import merged_payload
from pipeline.staging.ids import find_words
from pipeline.store.unit_record import Entry, Record, read_record, write_record


def test_a_record_is_read_as_it_was_written() -> None:
    class Attachments(dict):
        def attach(self, version: str, name: str, data: bytes) -> None:
            self[name] = data

        def attachment(self, version: str, name: str) -> bytes | None:
            return self.get(name)

    store = Attachments()
    entries = [Entry("a-1", None, "me"), Entry("b-2", np.array([1, 5], np.int32))]
    write_record(store, "v", Record(entries, ["facts", 1], 10, 2, 3))  # type: ignore[arg-type]
    found = read_record(store, "v")  # type: ignore[arg-type]
    assert found and (found.job, found.source, found.rejected, found.kept) == (["facts", 1], 10, 2, 3)
    assert [(e.unit, e.rows is None or e.rows.tolist(), e.credit) for e in found.entries] == [
        ("a-1", True, "me"), ("b-2", [1, 5], None),
    ]  # fmt: skip


def test_choices_of_all_ids_are_those_of_their_buckets_together() -> None:
    random = np.random.default_rng(0)
    count = 400
    words = random.integers(0, 60, (count, 2)).astype(np.uint64)
    marks = random.integers(0, 3, count).astype(np.uint64)
    units, rows = np.repeat(np.arange(8), 50).astype(np.int32), np.tile(np.arange(50), 8).astype(np.int32)
    roles = np.where(units < 5, CURRENT, KEPT) | np.where(random.random(count) < 0.5, LIVE, 0)
    every = IdRows(words, marks, units, rows, roles.astype(np.uint8), marks)

    def part(keep: np.ndarray) -> IdRows:
        return IdRows(*(getattr(every, name)[keep] for name in every.__dataclass_fields__))

    whole = choose(every, False)
    halves = [choose(part(words[:, 0] % 2 == n), False) for n in (0, 1)]
    for name in ("unchanged", "repeated", "deleted", "live"):
        assert getattr(whole, name) == sum(getattr(half, name) for half in halves)
    assert sorted(map(tuple, whole.points)) == sorted(tuple(p) for half in halves for p in half.points)
    assert whole.repeats == halves[0].repeats | halves[1].repeats


def test_ids_that_begin_alike_are_told_apart() -> None:
    words = np.array([[1, 1], [1, 2], [1, 3], [2, 1]], np.uint64)
    asked = np.array([[1, 3], [2, 2], [1, 1], [0, 1], [2, 1], [9, 9]], np.uint64)
    assert find_words(words, asked).tolist() == [2, -1, 0, -1, 3, -1]
    assert joined_mark([1, 2]) != joined_mark([2, 1])


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
