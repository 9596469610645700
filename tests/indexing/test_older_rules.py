"""Pictures that newer rules of decoding change are embedded anew, and no others."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.indexing.account import Account
from pipeline.indexing.plan import Plan, rows_of
from pipeline.points import Row
from pipeline.staging.parts import StagedPicture, Staging
from pipeline.staging.rejects import Reject


def made_by_older_rules(staging: Staging) -> None:
    """Parts as Simile 0.1.0 left them: without a note of the rules."""
    for part in Path(staging.folder).rglob("*.parquet"):
        pq.write_table(pq.read_table(part).replace_schema_metadata({}), part)


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    found = Staging(str(tmp_path), "things", "f")
    pictures = [StagedPicture(name, b"x", "image/webp", 4, 4) for name in ("plain", "clear")]
    found.write("both", pictures, np.eye(2, 4))
    found.write("alone", [StagedPicture("profile", b"x", "image/webp", 4, 4)], np.ones((1, 4)))
    found.write_rejects("bad", [Reject("heic", "decode", "not a readable image")])
    return found


def test_only_what_older_rules_made_is_forgotten_and_only_where_they_count(staging: Staging) -> None:
    rules = {"clear": 2, "profile": 2, "heic": 2}
    assert staging.forget_older(rules) == 0
    made_by_older_rules(staging)
    assert staging.forget_older({}) == 0
    assert staging.forget_older(rules) == 3
    assert (staging.ids(), staging.rejects()) == ({"plain"}, [])
    assert staging.gather(["plain"])[0].tolist() == [[1, 0, 0, 0]]
    assert staging.forget_older(rules) == 0


def plan_of(*rows: tuple[str | None, int | None]) -> Plan:
    """Rows of (id, rules) in one file each."""
    ids, rules = zip(*rows, strict=True)
    return Plan(
        pa.table(
            {
                "row_key": pa.array(range(len(ids)), pa.uint64()),
                "file": [f"{i}.png" for i in range(len(ids))],
                "row": pa.array([0] * len(ids), pa.int64()),
                "id": pa.array(ids, pa.string()),
                "payload": ["{}"] * len(ids),
                "rules": pa.array(rules, pa.int8()),
                "first": [point is not None and point not in ids[:i] for i, point in enumerate(ids)],
            }
        )
    )


def test_marks_change_for_these_pictures_alone() -> None:
    plan = plan_of(("plain", 1), ("clear", 2), (None, None))
    assert plan.rules() == {"clear": 2}
    rows = rows_of(plan, None)
    assert rows["plain"].mark == Row("{}", ("0.png:0",), None).mark
    assert rows["clear"].mark != Row("{}", ("1.png:0",), None).mark


@pytest.mark.parametrize(("single", "embedded", "warned"), [(5, 20, True), (4, 4, False), (5, 100, False)])
def test_many_pictures_of_one_colour_are_worth_a_warning(single: int, embedded: int, warned: bool) -> None:
    account = Account("things", embedded=embedded, single_colour=single)
    assert (f"{single} of {embedded} embedded pictures have one single colour" in account.table()) == warned
