"""The hide list: a file that the owner keeps, and what a search then leaves out, on both stores."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.__main__ import main
from pipeline.errors import SimileError
from pipeline.moderation.hidden import HiddenIds, hidden_ids, hide, show
from pipeline.search import Collection, Example, Settings
from pipeline.search.browse import browse
from pipeline.store import Store
from pipeline.store.hiding_store import hidden_in, hiding
from tests.search.conftest import *  # noqa: F403 (its fixtures: a collection of twelve greys)
from tests.search.conftest import IDS, N, direction, fill, grey


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("moderated"))


@pytest.fixture
def shown(store: Store, greys: Collection, home: str) -> Collection:
    """The greys as a page opens them."""
    return Collection("greys", hiding(store, HiddenIds(home, "greys")))


def test_what_is_hidden_is_in_no_answer_and_comes_back(shown: Collection, home: str) -> None:
    version, (store, _) = shown.version, shown.live
    assert shown.search(grey(50), k=1)[0].id == IDS[5] and hidden_in(store) == frozenset()
    hide(home, "greys", [IDS[5], IDS[6]], remark="a visitor\nasked")
    left = set(IDS) - {IDS[5], IDS[6]}
    for hits in (
        shown.search(grey(50), k=N),
        shown.search(grey(50), k=N, metric="hamming", exact=True),
        shown.search(grey(50), k=N, filters={"artist": ["artist 0", "artist 2"], "style": {"not": "x"}}),
        shown.search(colours=["#323232"], k=N),
        shown.find([Example(id=IDS[4]), Example(id=IDS[7])], settings=Settings(k=N)).hits,
        shown.find([Example(picture=grey(50))], settings=Settings(k=N, diversity=0.5)).hits,
        browse(shown, {"style": ["even", "odd"]}, N)[0],
        shown.examples(N),
        shown.sample(N),
        list(shown),
        shown.get_many(IDS),
    ):
        assert hits and {hit.id for hit in hits} <= left
    assert set(shown.ids()) == left and shown.count == N - 2
    assert dict(shown.facets("style")) == {"even": 5, "odd": 5}
    many = store.query_many(version, np.stack([direction(50)]), using="v", limit=3)
    assert next(str(point.id) for point in many[0]) in (IDS[4], IDS[7]) and len(many[0]) == 3
    with pytest.raises(SimileError, match="has no picture"):
        shown.find([Example(id=IDS[5])])
    show(home, "greys", [IDS[5], IDS[6]])
    assert shown.search(grey(50), k=1)[0].id == IDS[5]


def test_the_file_may_be_written_by_hand(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "hidden" / "greys.txt"
    file.parent.mkdir()
    file.write_text(f"# of 2026\n{IDS[0].upper()} # twice\n\nno id\n{IDS[0]}\n{IDS[1]}")
    assert hidden_ids(str(tmp_path), "greys") == IDS[:2]
    assert "line 4" in caplog.text
    assert hide(str(tmp_path), "greys", [IDS[1], IDS[2]]) == 3
    assert show(str(tmp_path), "greys", IDS[:1]) == 2
    assert file.read_text().startswith("# of 2026\n") and IDS[0] not in file.read_text().lower()


def test_the_list_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.moderation.hidden.MOST_HIDDEN", 2)
    with pytest.raises(SimileError, match=r"would hide 3 pictures, more than 2; delete them with"):
        hide(str(tmp_path), "greys", IDS[:3])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.store import open_store

    fill(open_store(home=str(tmp_path)), calibrated=True)

    def told(*arguments: str) -> object:
        main(["hide", "greys", *arguments, "--home", str(tmp_path), "--json"])
        return json.loads(capsys.readouterr().out)

    assert told() == []
    assert told(IDS[3], "--remark", "private") == {"collection": "greys", "hidden": 1}
    assert told() == [IDS[3]]
    assert (tmp_path / "hidden/greys.txt").read_text() == f"{IDS[3]}  # private\n"
    fill(open_store(home=str(tmp_path)), calibrated=True)  # another version of the same pictures
    again = Collection("greys", hiding(open_store(home=str(tmp_path)), HiddenIds(str(tmp_path), "greys")))
    assert IDS[3] not in again and IDS[4] in again
    assert told(IDS[3], "--show") == {"collection": "greys", "hidden": 0}
    with pytest.raises(SystemExit):
        main(["hide", "greys", "00000000-0000-0000-0000-000000000000", "--home", str(tmp_path)])
    assert "'greys' has no picture" in capsys.readouterr().err
