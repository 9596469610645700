"""Parts of the page without a browser: text, cards, queries, exports, and what visitors may send."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest
from PIL import Image

from page.collection_library import CollectionLibrary
from page.components.cards import Card, action_of, card_html
from page.components.closeness import chosen_step, closeness_html
from page.components.explanation_html import choice
from page.components.hits import voted
from page.components.query_panel import act, query_html, shown, take_upload
from page.rate_limit import cost_of
from page.run_search import SearchResult, figures, reason
from page.shared_state import MAX_PICTURES, Pair, Query, QueryPicture
from page.tabs.collections import _report
from page.tabs.map import MapHandlers
from page.tabs.recommend import RecommendHandlers, _unknown
from page.tabs.search_handlers import SearchHandlers
from page.tabs.why import WhyHandlers
from page.uploads import UploadsOnly
from page.wording import rarity, readable
from pipeline.points import MOST_TEXT, MOST_VALUES
from pipeline.search import Collection, Hit, Settings
from pipeline.search.counts import Counted
from pipeline.search.hit import Found, hit_from
from pipeline.search.hit_table import as_csv
from tests.page.conftest import run_apart

EVIL = '"><img src=x onerror=alert(1)>${alert(2)}{{x}}<script>alert(3)</script>'


class _Tags(HTMLParser):
    """Names of the tags and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def made(i: int, label: str = "") -> Card:
    return Card(f"id{i}", "things", label or f"thing {i}", metric="cosine", score=0.5)


def event(**data: Any) -> gr.EventData:
    return gr.EventData(None, data)


def test_labels_are_escaped_everywhere() -> None:
    shown = Card(f"id{EVIL}", "things", EVIL, metric="cosine", reason=EVIL)
    query = Query((QueryPicture(f"/tmp/{EVIL}.png", label=EVIL),), dislikes=(QueryPicture("x", label=EVIL),))
    for html in (card_html(shown, 0, None), query_html(query)):
        seen = _Tags()
        seen.feed(html)
        assert "img" in seen.names and "script" not in seen.names
        assert not [name for name in seen.attributes if name.startswith("on")]


@pytest.mark.parametrize(
    ("unusual", "text"),
    [(0.99961, "99.96 %"), (0.5, "50 %"), (0.9999, "99.990 %"), (1.0, "100 %"), (None, "")],
)
def test_rarity_never_rounds_up(unusual: float | None, text: str) -> None:
    assert rarity(unusual) == text


def test_names_of_classes_are_spoken() -> None:
    assert [readable(v) for v in ("claude-monet", "still_life", "Art_Nouveau", "Ukiyo_e", "cat", 7)] == [
        "Claude Monet",
        "Still life",
        "Art Nouveau",
        "Ukiyo-e",
        "Cat",
        "7",
    ]
    assert readable("jan-van-der-heyden") == "Jan van der Heyden" and readable("van-gogh") == "Van Gogh"


def test_closeness_says_what_is_left_and_takes_only_its_own_steps() -> None:
    html = closeness_html(2, [600, 400, 99, 1, 1000, 0])
    assert "<output>Top 2%: 1 picture</output>" in html and 'value="4"' in html
    assert "Any|Top 20%: 600 pictures|" in html and "Top 1%: 1,000+ pictures|Top 0.1%: 0 pictures" in html
    assert "Any|Top 20%|Top 10%" in closeness_html(0), "of several pictures it is not counted"
    assert [chosen_step(event(step=at)) for at in (0, 4, 7, -1, True, "1", None)] == [0, 2] + [None] * 5


def test_no_close_match_is_said_only_where_the_best_hit_is_far() -> None:
    def line(close: float | None, *scores: float) -> str:
        hits = [Hit(str(at), score, 1 - score, {}, b"") for at, score in enumerate(scores)]
        collection = cast(Collection, SimpleNamespace(counted=Counted(600, exact=True)))
        result = SearchResult(collection, Found(hits, 0, 3, False, None, close), [])
        return figures([made(0)] * len(hits), result, Settings())

    assert "<p>No close match. The nearest:</p>" in line(0.5, 0.49, 0.3)
    for near in (line(0.5, 0.5, 0.3), line(None, 0.1)):
        assert "<p>" in near and "No close match" not in near
    said = line(0.2, 0.5, 0.3)
    assert "<p>2 closest of 600 pictures</p><details><summary>Details</summary>cosine · approximate" in said
    assert "2 closest of 600 pictures" in line(0.9, 0.5, 0.3), "how many there are is said below Details"


@pytest.mark.parametrize(
    "data",
    [{}, {"action": "open"}, {"action": "open", "index": 2}, {"action": "open", "index": -1},
     {"action": "open", "index": True}, {"action": "rm", "index": 0}, {"action": "open", "index": "0"}],
)  # fmt: skip
def test_only_what_the_grid_sends_is_heard(data: dict[str, Any]) -> None:
    assert action_of(event(**data), [made(0), made(1)]) is None


def test_a_vote_can_be_changed_and_taken_back() -> None:
    liked = voted(None, made(0), "like")
    assert [s.point_id for s in liked.likes] == ["id0"]
    disliked = voted(liked, made(0), "dislike")
    assert not disliked.likes and [s.point_id for s in disliked.dislikes] == ["id0"]
    assert voted(disliked, made(0), "dislike") == Query()


def test_what_a_visitor_gathers_is_bounded() -> None:
    query = Query()
    for i in range(MAX_PICTURES + 9):
        query = voted(query, made(i), "like")
    assert len(query.likes) == MAX_PICTURES and query.likes[-1].point_id == f"id{MAX_PICTURES + 8}"


def test_boxes_from_the_browser_are_checked() -> None:
    query = Query((QueryPicture("a.png"), QueryPicture("b.png")))
    boxed, _, _ = act(query, event(action="box", box=[0.1, -1, 0.5, 7]))
    assert boxed.likes[0].box == (0.1, 0.0, 0.5, 1.0) and boxed.likes[1].box is None
    whole, _, _ = act(boxed, event(action="whole"))
    assert whole == query
    for bad in (None, [1, 2], ["0", 0, 1, 1], [0.5, 0, 0.5, 1], [float("nan"), 0, 1, 1], {"a": 1}):
        assert act(query, event(action="box", box=bad))[0] == gr.skip()
    removed, _, _ = act(query, event(action="remove", index=1))
    assert removed.likes == (QueryPicture("a.png"),)


def test_every_picture_and_the_words_of_a_query_can_be_taken_away() -> None:
    query = Query((QueryPicture("a.png"), QueryPicture("b.png")), "a boat", (QueryPicture("c.png"),))
    html = query_html(query)
    assert [html.count(f'data-action="remove" data-index="{i}"') for i in range(4)] == [1, 1, 1, 0]
    assert "a boat" in html and html.count("New search") == 1
    assert act(query, event(action="remove", index=0))[0].likes == (QueryPicture("b.png"),)
    wordless = act(query, event(action="wordless"))[0]
    assert wordless.text == "" and wordless.likes == query.likes
    assert "data-action" not in query_html(query, fixed=True)


def test_two_pictures_of_one_name_are_told_apart() -> None:
    query = Query((QueryPicture("a.png", label="your picture"), QueryPicture("b.png", label="your picture")))
    hit = Hit("id", 0.9, 0.1, {}, b"", like_scores=(0.2, 0.9))
    assert reason(hit, query, Settings(), explained=False) == "like your picture no. 2 (0.90)"
    html = query_html(query)
    assert "Searched from: your picture no. 1" in html and "Remove your picture no. 2" in html
    assert "no." not in query_html(Query(query.likes[:1]))


def test_words_alone_are_a_query_that_shows_and_ends() -> None:
    html, place, adding, drawn = shown(Query(text="<b>boats"))
    assert "&lt;b&gt;boats" in html and "New search" in html and not adding
    assert drawn == Query(text="<b>boats")
    assert place["visible"] is False, "a picture is added by the button, as with pictures"
    assert shown(Query())[1]["visible"] is True


def test_a_tiff_is_shown_as_the_server_decoded_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    for name, is_shown in (("a.tif", False), ("a.png", True)):
        path = tmp_path / name
        Image.new("RGB", (40, 20), "red").save(path)
        query, _, _ = take_upload({"path": str(path)}, None, False)
        source = query.likes[0]
        assert source.file == str(path) and (name in query_html(query)) is is_shown
        if not is_shown:
            assert Path(str(source.preview)).name in query_html(query)
            with Image.open(str(source.preview)) as seen:
                assert seen.size == (40, 20) and seen.convert("RGB").getpixel((20, 10))[0] > 200


def test_a_card_says_in_words_how_unusual_it_is() -> None:
    html = card_html(replace(made(0), unusual=0.9961), 0, None)
    assert ">top 0.4%<" in html and 'title="nearer than 99.6 % of random pairs"' in html
    assert "nearer than 99.6 % of random pairs" in html.split('aria-label="')[1].split('"')[0]
    assert "nearer than any two random pictures" in card_html(replace(made(0), unusual=1.0), 0, None)


def test_what_is_as_dear_as_a_search_counts_as_one() -> None:
    tab = MapHandlers(CollectionLibrary("/nowhere"))
    search = SearchHandlers(CollectionLibrary("/nowhere"))
    why = WhyHandlers(CollectionLibrary("/nowhere"))
    counted = [search.find, search.more, search.export, tab.lasso, tab.group, why.show]
    counted += [take_upload, RecommendHandlers(CollectionLibrary("/nowhere")).works]
    assert all(cost_of(each, []) == 1 for each in counted)
    cheap = (search.link, search.begin, tab.beside)
    assert {cost_of(each, []) for each in cheap} == {0.1}
    own = QueryPicture("a.png")
    stored = QueryPicture("b.png", "id0", "things")
    query = Query((own, stored, replace(stored, box=(0, 0, 1, 0.5))), dislikes=(own,))
    assert cost_of(search.find, [query, "things"]) == 3, "one for each picture that is decoded"


def test_why_takes_the_picture_of_the_query_that_was_chosen() -> None:
    both = (QueryPicture("a.png", label="A"), QueryPicture("b.png", label="B"))
    pair = Pair(both[0], QueryPicture("", "id0", "things"), "e", both)
    assert choice(pair).count("<button") == 2 and choice(replace(pair, among=both[:1])) == ""
    assert WhyHandlers.choose(pair, event(index=1)) == replace(pair, query=both[1])
    for bad in ({}, {"index": 2}, {"index": -1}, {"index": "1"}):
        assert WhyHandlers.choose(pair, event(**bad)) == gr.skip()
    assert WhyHandlers.choose(None, event(index=0)) == gr.skip()


def test_what_is_not_known_of_an_uploaded_picture_is_said() -> None:
    mine, theirs = QueryPicture("a.png"), QueryPicture("b.png", "id0", "things")
    assert _unknown(Query((mine,)), "things", ["artist"]) == ["the artist of your picture is not known here"]
    two = _unknown(Query((mine, theirs)), "things", ["artist", "birth_year"])
    assert two == ["the artist and birth year of 1 of your pictures is not known here"]
    assert _unknown(Query((theirs,)), "things", ["artist"]) == [] == _unknown(Query((mine,)), "things", [])


def test_a_report_runs_nothing_and_ends_inside_its_frame() -> None:
    report = b'<p title="x">a</p></iframe><script>alert(1)</script>'
    found = SimpleNamespace(name="things", title='T"', attachment=lambda name: report)
    seen = _Tags()
    seen.feed(_report(found))  # type: ignore[arg-type]
    assert "iframe" in seen.names and "script" not in seen.names and "p" in seen.names
    assert 'sandbox=""' in _report(found)  # type: ignore[arg-type]


def test_a_label_without_end_is_cut_wherever_it_came_from() -> None:
    payload = {"artist": "x" * 3_000_000, "tags": ["y" * 20_000] * 5_000, "year": 1888}
    hit = hit_from("id", payload, ["artist"])
    assert hit.payload["artist"] == "x" * (MOST_TEXT - 1) + "…" and hit.payload["year"] == 1888
    assert len(hit.payload["tags"]) == MOST_VALUES and len(hit.payload["tags"][0]) == MOST_TEXT
    assert len(hit.label) == MOST_TEXT
    assert len(as_csv([hit_from("id", {"artist": "x" * 3_000_000}, [])], [{}])) < 2 * MOST_TEXT


@pytest.mark.parametrize("path", ["http://127.0.0.1:9/x.png", "/etc/hostname", "../demo.py", ""])
def test_no_input_of_any_component_names_a_file_or_address(path: str) -> None:
    """Whatever component an event has as input: the file in it must be an upload."""
    sent = {"path": path, "meta": {"_type": "gradio.FileData"}}
    with UploadsOnly() as blocks:
        pass
    for inputs in ([sent], [[sent]], [{"value": [{"image": sent}]}]):
        with pytest.raises(gr.Error, match="only uploaded pictures"):
            run_apart(blocks.preprocess_data, SimpleNamespace(inputs=[]), inputs)
