"""The query of a visitor: a place to drop pictures, those gathered so far, and a box over the first one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from page.components.cards import url_of
from page.components.event_wiring import QUIET
from page.rate_limit import counts_as_search
from page.shared_state import Query, QueryPicture
from page.theme import script
from page.uploads import read_upload, uploaded_path
from page.wording import note, numbered_names, spoken
from pipeline.errors import SimileError
from pipeline.images import decode, shown_by_browsers, thumbnail
from pipeline.search.query import is_vector_text

__all__ = ["ONLY_FILES", "QueryPanel", "query_html", "query_panel"]

ONLY_FILES = (
    "Simile does not open addresses or text. Save the picture and drop the file here, or copy the picture "
    "itself and paste it."
)


@dataclass(frozen=True)
class QueryPanel:
    """The components; they show the state `query` and change it. `drawn` is the query that they show now."""

    query: gr.State
    drawn: gr.State
    adding: gr.State
    drop: gr.Image
    view: gr.HTML

    @property
    def outputs(self) -> dict[str, Any]:
        """What `shown` changes, by name."""
        return {"view": self.view, "drop": self.drop, "adding": self.adding, "drawn": self.drawn}

    def connect(self, status: gr.HTML, *, shows: bool = True) -> None:
        """Uploads and buttons change `query`, and each change of it is shown. Problems go to `status`.

        Args:
            shows: False where another event shows each change, because it has to answer one anyway.
        """
        # preprocess=False, because Gradio would open the file itself and not say what is wrong with it.
        self.drop.input(
            take_upload,
            [self.drop, self.query, self.adding],
            [self.query, status, self.drop],
            preprocess=False,
            trigger_mode="always_last",
            **QUIET,
        )
        # What is pressed while the last press is being answered counts as well.
        self.view.click(
            act, self.query, [self.query, self.adding, self.drop], trigger_mode="multiple", **QUIET
        )
        if shows:
            self.query.change(shown, self.query, list(self.outputs.values()), **QUIET)


def query_panel(query: gr.State, name: str, label: str = "Your picture") -> QueryPanel:
    """The panel, with ids that begin with `name`."""
    view = gr.HTML(
        "",
        elem_id=f"{name}-query",
        elem_classes=["query-host"],
        js_on_load=script("query_box.js") + script("query_files.js"),
        apply_default_css=False,
    )
    drop = gr.Image(
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard", "webcam"],
        label=label,
        placeholder="# Drop a picture here\nor paste it, or click to choose one",
        height=230,
        buttons=[],
        elem_id=f"{name}-drop",
        elem_classes=["drop"],
    )
    return QueryPanel(query, gr.State(), gr.State(False), drop, view)


@counts_as_search
def take_upload(sent: Any, query: Query | None, adding: bool) -> tuple[Any, Any, Any]:
    """(query, status, dropped file) after an upload: it becomes the query, or is added to it if `adding`.

    A file that is no picture changes only the status line, to one sentence.
    """
    if sent is None:
        return gr.skip(), gr.skip(), gr.skip()
    try:
        path = uploaded_path(sent)
        data = read_upload(path)
        image = decode(data, min_side=64)
        preview = None if shown_by_browsers(data) else _preview(path, image)
    except SimileError as error:
        return gr.skip(), note(str(error), problem=True), None
    own = QueryPicture(path, label="your picture", preview=preview)
    return (query or Query()).liking(own) if adding else Query((own,)), gr.skip(), None


def _preview(path: str, image: Image.Image) -> str:
    """Writes a small copy beside an upload, with which it is deleted; returns its path."""
    data, mime = thumbnail(image)
    preview = Path(path).with_name(f"preview.{mime.removeprefix('image/')}")
    preview.write_bytes(data)
    return str(preview)


def act(query: Query | None, event: gr.EventData) -> tuple[Any, Any, Any]:
    """(query, whether the next upload is added, place for uploads) after a button or a drawn box."""
    data = event._data if isinstance(event._data, dict) else {}
    action, query = data.get("action"), query or Query()
    if action == "add":
        return gr.skip(), True, gr.update(visible=True)
    if action == "address":
        gr.Info(ONLY_FILES)
        return gr.skip(), gr.skip(), gr.skip()
    if action == "clear":
        return Query(), False, gr.skip()
    if action == "wordless":
        return replace(query, text=""), False, gr.skip()
    every = [*query.likes, *query.dislikes]
    index = data.get("index")
    if action in ("remove", "front") and isinstance(index, int) and 0 <= index < len(every):
        chosen = every[index]
        rest = query.without(chosen)
        changed = rest if action == "remove" else replace(rest, likes=(chosen, *rest.likes))
        return changed, False, gr.skip()
    if action in ("box", "whole") and query.likes:
        box = _box(data.get("box")) if action == "box" else None
        if action == "whole" or box:
            first = replace(query.likes[0], box=box)
            return replace(query, likes=(first, *query.likes[1:])), False, gr.skip()
    return gr.skip(), gr.skip(), gr.skip()


def _box(given: Any) -> tuple[float, float, float, float] | None:
    """The box that the browser sent, cut to the picture; None for anything that is no box."""
    if not isinstance(given, list) or len(given) != 4:
        return None
    if any(isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v) for v in given):
        return None
    left, top, right, bottom = (round(min(1.0, max(0.0, float(v))), 4) for v in given)
    return (left, top, right, bottom) if left < right and top < bottom else None


def shown(query: Query | None) -> tuple[str, Any, bool, Query]:
    """(panel, place for uploads, whether the next upload is added, what is drawn) for a query.

    The place for uploads is hidden, and emptied, once there is a query. Without one its file stays: a visitor
    may just have put it there.
    """
    drop = gr.update(visible=False, value=None) if query else gr.update(visible=True)
    return query_html(query), drop, False, query or Query()


def query_html(query: Query | None, *, fixed: bool = False) -> str:
    """The pictures and words of a query; with `fixed` they cannot be changed."""
    if not query:
        return ""
    likes, dislikes = _labelled(query.likes), _labelled(query.dislikes)
    first = _first(*likes[0], fixed) if likes else ""
    liked = _chips(likes[1:], 1, "Also like", "like", fixed)
    disliked = _chips(dislikes, len(likes), "Not like", "dislike", fixed)
    buttons = "" if fixed else _buttons()
    return f'<div class="query">{first}{_words(query.text, fixed)}{liked}{disliked}{buttons}</div>'


def _labelled(pictures: Sequence[QueryPicture]) -> list[tuple[QueryPicture, str]]:
    """Pictures with their names, escaped; pictures of one name are numbered."""
    labels = numbered_names([picture.label or "picture" for picture in pictures])
    return [(picture, escape(label, quote=True)) for picture, label in zip(pictures, labels, strict=True)]


def _words(text: str, fixed: bool) -> str:
    if not text:
        return ""
    away = "" if fixed else _away("wordless", 0, "the words")
    said = escape(spoken(text)) if is_vector_text(text) else f"<q>{escape(text)}</q>"
    return f'<p class="words">{said}{away}</p>'


def _away(action: str, index: int, what: str) -> str:
    return (
        f'<button type="button" class="away" data-action="{action}" data-index="{index}" '
        f'aria-label="Remove {what}" title="Remove"></button>'
    )


def _first(picture: QueryPicture, label: str, fixed: bool) -> str:
    address = escape(url_of(picture), quote=True)
    image = f'<img src="{address}" alt="Searched from: {label}" draggable="false">'
    box = picture.box
    style = (
        f"left:{box[0]:.2%};top:{box[1]:.2%};width:{box[2] - box[0]:.2%};height:{box[3] - box[1]:.2%}"
        if box
        else ""
    )
    handles = "" if fixed else "<i></i><i></i><i></i><i></i>"
    mark = f'<div class="box" style="{style}"{"" if box else " hidden"}>{handles}</div>'
    if fixed:
        return f'<div class="crop-frame"><div class="crop fixed">{image}{mark}</div></div>'
    data = f"[{','.join(map(str, box))}]" if box else "null"
    below = (
        '<button type="button" class="quiet" data-action="whole">Use the whole picture</button>'
        if box
        else '<p class="hint">Drag a box to search with a part of it.</p>'
    )
    area = (
        f'<div class="crop{" boxed" if box else ""}" tabindex="0" role="application" data-box="{data}" '
        'aria-label="Part of the picture: drag a box, or press Enter and move one with the arrow keys; '
        f'shift and arrows resize it, Escape removes it">{image}{mark}</div>'
    )
    away = _away("remove", 0, label)
    return f'<div class="crop-frame">{area}{away}</div><div class="below">{below}</div>'


def _chips(labelled: list[tuple[QueryPicture, str]], start: int, title: str, kind: str, fixed: bool) -> str:
    if not labelled:
        return ""
    items = "".join(_chip(picture, label, start + i, fixed) for i, (picture, label) in enumerate(labelled))
    return f'<div class="chips {kind}"><h2>{title}</h2><ul>{items}</ul></div>'


def _chip(picture: QueryPicture, label: str, index: int, fixed: bool) -> str:
    image = f'<img src="{escape(url_of(picture), quote=True)}" alt="{label}" title="{label}">'
    if fixed:
        return f"<li>{image}</li>"
    return f"<li>{image}{_away('remove', index, label)}</li>"


def _buttons() -> str:
    return (
        '<div class="buttons">'
        '<button type="button" class="quiet" data-action="clear">New search</button>'
        '<button type="button" class="quiet" data-action="add">Add a picture</button>'
        '<button type="button" class="quiet add-words" data-action="words">Add words</button></div>'
    )
