"""Pictures that newer rules of decoding change are embedded anew, and no others."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import open_collection
from pipeline.indexing.account import Account
from pipeline.indexing.embed import EmbedResult, embed_missing
from pipeline.indexing.embed_actor import EmbedActor
from pipeline.indexing.plan import Plan, changed_rows, rows_of
from pipeline.points import Row, point_id
from pipeline.staging.parts import StagedPicture, Staging
from pipeline.staging.rejects import Reject
from tests.indexing.conftest import Index, picture, write_pictures


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


def test_rows_whose_file_changed_during_the_job_are_rejected_by_it_and_tried_by_the_next(
    staging: Staging,
) -> None:
    plan = plan_of(("plain", 1), ("replaced", 1), ("replaced", 1), ("heic", 2))
    found = changed_rows(plan, {"e": staging})
    assert [reject.id for reject in found] == ["replaced"] * 2
    assert [reject.place for reject in found] == ["1.png:0", "2.png:0"]
    assert "replaced or removed while the job ran; run the job again" in found[0].reason
    assert "replaced" not in {reject.id for reject in staging.rejects()}


@pytest.mark.parametrize(("single", "embedded", "warned"), [(5, 20, True), (4, 4, False), (5, 100, False)])
def test_many_pictures_of_one_colour_are_worth_a_warning(single: int, embedded: int, warned: bool) -> None:
    account = Account("things", embedded=embedded, single_colour=single)
    assert (f"{single} of {embedded} embedded pictures have one single colour" in account.table()) == warned


def test_an_actor_knows_whether_the_bytes_are_those_that_were_planned(staging: Staging) -> None:
    actor = object.__new__(EmbedActor)
    actor.stagings = {"e": staging}
    point = point_id("things", hashlib.sha256(b"old").hexdigest())
    assert actor._as_planned(point, b"old")
    assert not actor._as_planned(point, b"new")
    assert not actor._as_planned(point, None)


@pytest.mark.long
def test_a_file_that_is_replaced_during_the_job_gets_the_id_of_its_new_bytes(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_pictures(tmp_path / "pictures")
    old = (source / "red" / "0.png").read_bytes()

    def replaced(*arguments: Any) -> EmbedResult:
        picture((1, 2, 3), 99).save(source / "red" / "0.png")
        (source / "red" / "1.png").unlink()
        return embed_missing(*arguments)

    monkeypatch.setattr("pipeline.indexing.job.embed_missing", replaced)
    account = index(tmp_path / "home", source, max_reject_fraction=0.5)
    assert (account.written, account.rejected) == (22, 2)
    assert {reject.place for reject in account.rejects} == {"red/0.png:0", "red/1.png:0"}
    monkeypatch.undo()
    (source / "blue" / "old.png").write_bytes(old)
    assert index(tmp_path / "home", source).written == 2
    hit = open_collection("colours", home=str(tmp_path / "home")).search(old, k=1)[0]
    assert hit.payload["_simile"]["places"] == ["blue/old.png:0"]
    assert hit.score > 0.999
