"""Programs and models read what the jobs have left with the live version."""

from pathlib import Path

import pytest

from page.api.found_by_jobs import JobEndpoints
from page.collection_library import CollectionLibrary
from pipeline.duplicates.assemble import Duplicates
from pipeline.duplicates.groups import Group, Member
from pipeline.duplicates.kept import DUPLICATES, kept_duplicates
from pipeline.errors import SimileError
from pipeline.insights.kept import INSIGHTS
from pipeline.store import open_store
from ray_jobs.insights import main
from tests.search.conftest import IDS, fill


@pytest.fixture
def home(tmp_path: Path) -> str:
    fill(open_store(home=str(tmp_path)), calibrated=True)
    return str(tmp_path)


def test_insights_are_those_of_the_live_version(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = JobEndpoints(CollectionLibrary(home))
    with pytest.raises(SimileError, match="greys has no insights yet; python"):
        jobs.insights("greys")
    main(["greys", "--home", home, "--field", "style", "--doubtful", "0.05", "--clusters", "2"])
    told = jobs.insights("greys", k=3)
    assert (told["collection"], told["pictures"], told["total"]) == ("greys", 12, 12)
    assert sum(cluster["pictures"] for cluster in told["clusters"]) == 12
    assert set(told["clusters"][0]["typical"]) <= set(IDS)
    assert len(told["unusual"]) == 3 and told["unusual"] == jobs.insights("greys", k=100)["unusual"][:3]
    (field,) = told["fields"]
    assert field["field"] == "style" and len(field["doubts"]) == min(3, field["doubtful"])
    version = fill(open_store(home=home), calibrated=True)  # another version goes live
    with pytest.raises(SimileError, match="has no insights yet"):
        jobs.insights("greys")
    open_store(home=home).attach(version, INSIGHTS, b'{"of": "another Simile"}')
    with pytest.raises(SimileError, match=r"The insights of 'greys' cannot be read: .*; make them again"):
        jobs.insights("greys")


def test_copies_are_told_group_by_group(home: str) -> None:
    store, jobs = open_store(home=home), JobEndpoints(CollectionLibrary(home))
    with pytest.raises(SimileError, match="nobody has looked for copies in greys yet"):
        jobs.duplicates("greys")
    groups = [
        Group(tuple(Member(point, (f"{point}.png:0",), 8, 8, "edited", 0.95) for point in IDS[at : at + 2]))
        for at in (0, 2, 4)
    ]
    kept = kept_duplicates(Duplicates(12, 3, groups))
    store.attach(store.aliases()["greys"], DUPLICATES, kept.model_dump_json().encode())
    told = jobs.duplicates("greys", k=2)
    assert (told["points"], told["groups"], told["copies"], told["more"]) == (12, 3, 3, True)
    assert [[copy["id"] for copy in group] for group in told["found"]] == [IDS[:2], IDS[2:4]]
    last = jobs.duplicates("greys", k=2, offset=2)
    assert [copy["kind"] for copy in last["found"][0]] == ["edited", "edited"] and not last["more"]
    for wrong in ({"k": 0}, {"k": 101}, {"offset": -1}, {"offset": 1000}):
        with pytest.raises(SimileError, match="k must be 1 to 100"):
            jobs.duplicates("greys", **wrong)


def test_answers_are_bounded() -> None:
    member = Member(IDS[0], tuple(f"{at}:0" for at in range(50)), 8, 8, "exact", 1.0)
    kept = kept_duplicates(Duplicates(9, 9, [Group((member,) * 50)] * 2000))
    assert (len(kept.first), len(kept.first[0]), len(kept.first[0][0].places)) == (1000, 20, 3)
    assert (kept.groups, kept.copies) == (2000, 2000 * (50 * 50 - 1))
