"""A selection of hits: taken along and searched from by everybody, changed by the owner alone."""

import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

import demo
from page import selection_export
from page.app import build
from page.collection_library import CollectionLibrary
from page.components.cards import Card, card
from page.components.selection import selected_in, selection_bar
from page.editing import READ_ONLY, delete_pictures, tag_pictures
from page.selection_export import export_selection
from page.shared_state import MAX_PICTURES
from page.tabs.search_selection import SelectionHandlers, SelectionUpdate
from pipeline.errors import SimileError
from pipeline.store import open_store
from tests.page.test_originals import PICTURE, POINT, collection
from tests.search.conftest import IDS, fill, grey_encoder  # noqa: F401 (a fixture)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    fill(open_store(home=str(tmp_path)), calibrated=True)
    return str(tmp_path)


def cards_of(library: CollectionLibrary, count: int) -> list[Card]:
    return [card(hit, "greys") for hit in library.open("greys").get_many(IDS[:count])]


def act(library: CollectionLibrary, cards: list[Card], **data: Any) -> SelectionUpdate:
    event = gr.EventData(None, {"tag": "", "indexes": list(range(len(cards))), **data})
    return SelectionHandlers(library).act(cards, None, event)


@pytest.mark.parametrize(
    "data",
    [
        {"action": "drop", "indexes": [0], "tag": ""},
        {"action": "tag", "indexes": "0", "tag": ""},
        {"action": "tag", "indexes": [7, -1, True, "0"], "tag": ""},
        {"action": "tag", "indexes": [0], "tag": 5},
        None,
    ],
)
def test_what_the_bar_does_not_send_is_nothing(data: Any) -> None:
    assert selected_in(gr.EventData(None, data), [Card("x", "greys", "p", "")] * 3) is None


def test_a_selection_keeps_the_order_of_the_hits() -> None:
    cards = [Card(str(at), "greys", "p", "") for at in range(5)]
    event = gr.EventData(None, {"action": "from", "indexes": [4, 1, 1, 9], "tag": ""})
    selected = selected_in(event, cards)
    assert selected is not None and [shown.id for shown in selected.cards] == ["1", "4"]


def test_everybody_takes_it_along_and_searches_from_it(home: str) -> None:
    library = CollectionLibrary(home)
    cards = cards_of(library, 3)
    files = [Path(file) for file in act(library, cards, action="export").files["value"]]
    assert [file.name for file in files] == ["greys.csv", "greys.json", "greys.jpg", "greys-paths.txt"]
    assert [row["id"] for row in json.loads(files[1].read_text())["hits"]] == IDS[:3]
    query = act(library, cards, action="from").request
    assert [picture.point_id for picture in query.likes] == IDS[:3] and query.own_pictures == 0
    assert len(act(library, cards * 20, action="from").request.likes) == MAX_PICTURES


def test_originals_are_in_a_zip_where_they_may_be_opened(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.jpg").write_bytes(PICTURE)
    found = collection(tmp_path / "source", places=("a.jpg:0",))
    hits: Any = [SimpleNamespace(id=POINT)]
    packed, left = selection_export._originals(found, hits)
    assert packed is not None and left == ""
    with zipfile.ZipFile(packed) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {f"{POINT[:8]}-a.jpg": PICTURE}
    monkeypatch.setattr(selection_export, "_MOST_BYTES", 3)
    nothing, left = selection_export._originals(found, hits)
    assert nothing is None and "1 of 1 originals are not in the ZIP" in left
    library = CollectionLibrary(home, originals=True)  # whose pictures have no files
    files, left = export_selection(library, cards_of(library, 2))
    assert not any(file.endswith(".zip") for file in files) and "2 of 2 originals" in left


@pytest.mark.parametrize("action", ["tag", "untag", "delete"])
def test_a_page_without_edit_changes_nothing(home: str, action: str) -> None:
    library = CollectionLibrary(home)
    said = act(library, cards_of(library, 2), action=action, tag="blue").status
    assert READ_ONLY in said.casefold() or "read-only" in said
    for change in (
        lambda: tag_pictures(library, "greys", IDS[:1], "blue"),
        lambda: delete_pictures(library, "greys", IDS[:1]),
    ):
        with pytest.raises(SimileError, match="this page is read-only"):
            change()
    assert library.open("greys").count == 12 and "tags" not in library.open("greys").filters
    assert "Delete" not in str(selection_bar(False).value) and "Delete" in str(selection_bar(True).value)


def test_endpoints_that_change_are_told_to_the_owner_alone(home: str) -> None:
    for edits in (False, True):
        page = build(CollectionLibrary(home, edits=edits))
        named = page.get_api_info()["named_endpoints"]
        assert ({"/tag", "/delete"} <= set(named)) is edits and "/facets" in named
        page.close(verbose=False)


def test_edit_needs_a_login(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.delenv("SIMILE_AUTH", raising=False)
    assert demo.main(["--edit"]) == 1
    assert "--edit needs --auth" in capsys.readouterr().err


@pytest.mark.long
def test_the_owner_tags_and_deletes_with_the_commands_of_a_terminal(home: str) -> None:
    library = CollectionLibrary(home, edits=True)
    cards = cards_of(library, 3)
    assert "3 pictures got the tag “--blue”" in act(library, cards, action="tag", tag="--blue").status
    assert library.open("greys").facets("tags") == [("--blue", 3)]
    assert "1 picture lost the tag" in act(library, cards[:1], action="untag", tag="--blue").status
    assert "is no tag" in act(library, cards, action="tag", tag="").status
    update = act(library, cards, action="delete", indexes=[0, 2])
    assert "2 pictures deleted; 10 are left" in update.status
    assert [shown.id for shown in update.cards] == [IDS[1]]
    assert library.open("greys").count == 10
    with pytest.raises(SimileError, match="name 1 to 600 pictures"):
        tag_pictures(library, "greys", IDS[:1] * 601, "x")


def test_a_visitor_who_asks_for_a_change_gets_a_sentence(strangers: Any) -> None:
    client, _ = strangers()
    for name, data in (("tag", ["greys", [IDS[0]], "x", False]), ("delete", ["greys", [IDS[0]]])):
        begun = client.post(f"/gradio_api/call/{name}", json={"data": data}).json()
        answer = client.get(f"/gradio_api/call/{name}/{begun['event_id']}").text
        assert "event: error" in answer and READ_ONLY in answer
