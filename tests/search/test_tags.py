"""Tags that people give: a filter field like any other, on both stores, and in every version that follows."""

import json
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.editing.delete import delete_points
from pipeline.editing.tags import apply_tags, own_tags
from pipeline.errors import SimileError
from pipeline.images.palette import COLOUR_VECTOR
from pipeline.search import Collection, Example, open_collection
from pipeline.search.query import Settings
from pipeline.store import Store
from tests.search.conftest import IDS, fill, grey


@pytest.fixture
def greys(store: Store, tmp_path: Path) -> Collection:
    fill(store, calibrated=True)
    return Collection("greys", store, str(tmp_path))


def tagged(greys: Collection, tag: str) -> set[str]:
    found = greys.find([Example(picture=grey(0))], settings=Settings(k=12, filters={"tags": [tag]}))
    return {hit.id for hit in found.hits}


def test_a_tag_is_a_filter_and_is_taken_away_again(greys: Collection) -> None:
    before = greys.version
    told = greys.tag(IDS[:3], " to print ")
    assert (told["tagged"], told["had_it"], told["tag"]) == (3, 0, "to print")
    assert (told["version"] == before) is greys.live[0].in_place
    assert tagged(greys, "to print") == set(IDS[:3])
    assert greys.tag(IDS[2:5], "to print")["had_it"] == 1
    greys.tag(IDS[:1], "blue")
    assert dict(greys.facets("tags")) == {"to print": 5, "blue": 1}
    assert greys.get(IDS[0]).payload["tags"] == ["to print", "blue"]
    assert greys.search_id(IDS[0])[0][0].id == IDS[1], "vectors are as they were"
    told = greys.untag(IDS[:2], "to print")
    assert (told["untagged"], told["had_it_not"]) == (2, 0)
    assert tagged(greys, "to print") == set(IDS[2:5])
    assert "tags" not in greys.get(IDS[1]).payload
    assert greys.untag(IDS[:1], "to print")["had_it_not"] == 1


def test_wrong_tags_and_pictures_are_told(greys: Collection) -> None:
    for wrong in ("", "  ", "x" * 101, "two\nlines", None):
        with pytest.raises(SimileError, match="is no tag; write 1 to 100 characters on one line"):
            greys.tag(IDS[:1], wrong)  # type: ignore[arg-type]
    with pytest.raises(SimileError, match="'greys' has no picture '00000000"):
        greys.tag(["00000000-0000-0000-0000-000000000000"], "x")
    with pytest.raises(SimileError, match="no picture to tag"):
        greys.tag([], "x")
    assert "tags" not in greys.filters


def test_a_deletion_keeps_tags_and_attachments_stay(greys: Collection) -> None:
    store, version = greys.live
    store.attach(version.name, "insights.json", b"{}")
    greys.tag(IDS[:3], "blue")
    assert greys.attachment("insights.json") == b"{}"
    delete_points(store, "greys", [IDS[0]])
    assert tagged(greys, "blue") == {IDS[1], IDS[2]}
    assert greys.untag([IDS[1]], "blue")["untagged"] == 1


def test_points_that_were_made_anew_get_their_tags_back(greys: Collection, tmp_path: Path) -> None:
    store = greys.live[0]
    greys.tag(IDS[:3], "blue")
    own = own_tags(store, greys.version)
    fill(store, calibrated=True)  # from the source, which knows no tags
    assert "tags" not in greys.get(IDS[0]).payload
    if store.in_place:
        apply_tags(store, str(tmp_path), greys.version, own, ["v", "v_code", COLOUR_VECTOR])
        assert greys.get(IDS[0]).payload["tags"] == ["blue"]
        assert greys.search_id(IDS[0])[0][0].id == IDS[1]


def test_the_command_line_tags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.store import open_store

    home = ["--home", str(tmp_path)]
    fill(open_store(home=str(tmp_path)), calibrated=True)
    main(["tag", "greys", "blue", "--filter", "style=even", *home])
    assert capsys.readouterr().out == "6 pictures got the tag 'blue'; 0 had it already.\n"
    main(["tag", "greys", "blue", "--id", IDS[0], "--remove", "--json", *home])
    assert json.loads(capsys.readouterr().out)["untagged"] == 1
    assert open_collection("greys", home=str(tmp_path)).facets("tags") == [("blue", 5)]
    with pytest.raises(SystemExit):
        main(["tag", "greys", "blue", *home])
    assert "Name the pictures with --id or --filter." in capsys.readouterr().err
