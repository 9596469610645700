"""The account at the end of a job, as people read it."""

import pytest

from pipeline.indexing.account import Account
from pipeline.indexing.embed import ActorReport
from pipeline.staging.rejects import Reject


def test_the_table_for_people() -> None:
    account = Account("birds", source=100, written=90, skipped=8, rejected=2, kept=3, removed=1)
    account.stages = {"plan": 1.5, "embed": 45.0}
    account.start_up = {"plan": 0.5}
    account.rows = {"plan": 100, "embed": 90}
    account.staged_bytes, account.loaded_bytes = 2_500_000, 1_250_000
    account.actors = {"a": ActorReport("box", "node", "cpu", rows=90, peak_memory=800_000_000)}
    account.left_out = {".xmp": 2, "of split test": 10}
    account.rejects.add(
        [Reject(None, "decode", "truncated", place=f"a.parquet:{i}", kind="cut short") for i in range(2)]
    )
    lines = account.table().splitlines()
    assert lines[0].split() == ["stage", "seconds", "start-up", "rows", "rows/s"]
    assert lines[1].split() == ["plan", "1.5", "0.5", "100", "66.7"]
    assert lines[2].split() == ["embed", "45.0", "0.0", "90", "2.0"]
    assert lines[3] == "actor on box (cpu): 90 rows, 800 MB at most"
    assert lines[4].startswith("driver: ")
    assert lines[5] == "written: 2.5 MB staged, 1.2 MB to the store"
    assert lines[6] == "rejected 2 × decode: cut short, such as a.parquet:0: truncated"
    assert lines[7] == "listed 112 = 100 rows + 12 left out (2 .xmp, 10 of split test)"
    assert (account.summary()["listed"], account.summary()["left_out"]) == (112, account.left_out)
    assert lines[8] == "100 rows = 90 written + 8 skipped + 2 rejected; 3 kept beside them, 1 removed"
    assert account.balanced


@pytest.mark.parametrize(("single", "embedded", "warned"), [(5, 20, True), (4, 4, False), (5, 100, False)])
def test_many_pictures_of_one_colour_are_worth_a_warning(single: int, embedded: int, warned: bool) -> None:
    account = Account("things", embedded=embedded, single_colour=single)
    assert (f"{single} of {embedded} embedded pictures have one single colour" in account.table()) == warned
