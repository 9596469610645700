"""A hit as the page keeps it for a visitor, and what its card in the grid looks like."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from page.state import Query, Source
from page.text import closeness, rarity, spoken, unusual_words
from page.theme import script
from pipeline.search import Hit

__all__ = [
    "Card",
    "action_of",
    "address_of",
    "card",
    "columns_html",
    "grid",
    "grid_html",
    "picture_url",
    "source_of",
]

_ENDINGS = {"image/png": "png", "image/webp": "webp", "image/gif": "gif"}
_TINY = 64  # pixels; smaller pictures are not blown up as far


@dataclass(frozen=True)
class Card:
    """Small, because a visitor keeps hundreds: the picture is a file in Gradio's cache, and the payload stays
    in the collection.
    """

    id: str
    collection: str
    picture: str
    label: str
    shape: float = 1.0  # width / height
    tiny: bool = False
    metric: str | None = None
    score: float = 1.0
    distance: float | int = 0
    unusual: float | None = None
    weak: bool = False
    copies: int = 0
    reason: str = ""
    encoder: str | None = None  # that found it; None: the collection's default
    nearest: int = 0  # number of the query's picture that it is most like

    @property
    def closeness(self) -> str:
        """Score or bits; nothing for a picture that was not searched for."""
        return closeness(self.metric, self.score, self.distance) if self.metric else ""


def card(
    hit: Hit,
    collection: str,
    metric: str | None = None,
    reason: str = "",
    encoder: str | None = None,
    nearest: int = 0,
) -> Card:
    """A hit with its picture written where the page may serve it."""
    ending = _ENDINGS.get(hit.thumbnail_type, "jpg")
    picture = save_bytes_to_cache(hit.thumbnail, f"picture.{ending}", get_upload_folder())
    about = hit.payload.get("_simile") or {}
    width, height = about.get("width") or 1, about.get("height") or 1
    label = " · ".join(spoken(part) for part in hit.label.split(" · ")) if hit.label else ""
    return Card(
        hit.id,
        collection,
        str(picture),
        label,
        min(2.4, max(0.5, width / height)),
        1 < max(width, height) <= _TINY,
        metric,
        hit.score,
        hit.distance,
        hit.unusual,
        bool(hit.weak),
        len(hit.copies),
        reason,
        encoder,
        nearest,
    )


def source_of(shown: Card) -> Source:
    """A card as something to search from."""
    return Source(shown.picture, shown.id, shown.collection, label=shown.label)


def address_of(source: Source) -> str:
    """What a browser shows of a query's picture."""
    return source.preview or picture_url(source.picture)


def picture_url(path: str) -> str:
    """Where the page finds a file of Gradio's cache, relative to the page's own address."""
    return f"gradio_api/file={quote(Path(path).as_posix())}"


def card_html(
    shown: Card,
    index: int,
    query: Query | None,
    *,
    votes: bool = True,
    caption: bool = True,
    tag: bool = True,
) -> str:
    """One `<li>` of a grid; its buttons say what they do and to which card."""
    spoken_words = [shown.label or "Picture", shown.closeness, unusual_words(shown.unusual), shown.reason]
    words = escape(", ".join(part for part in spoken_words if part), quote=True)
    source = source_of(shown)
    classes = "card" + (" weak" if shown.weak else "") + (" tiny" if shown.tiny else "")
    opener = (
        f'<button type="button" class="open" data-action="open" data-index="{index}" aria-label="{words}">'
        f'<img src="{escape(picture_url(shown.picture), quote=True)}" alt="" loading="lazy" '
        'decoding="async"></button>'
    )
    acts = _votes(shown, index, query, source) if votes else ""
    below = _caption(shown, tag) if caption else ""
    frame = f'<div class="frame">{opener}{acts}</div>'
    return f'<li class="{classes}" style="--r:{shown.shape:.3f}">{frame}{below}</li>'


def _votes(shown: Card, index: int, query: Query | None, source: Source) -> str:
    liked = any(s.same_as(source) for s in query.sources) if query else False
    disliked = any(s.same_as(source) for s in query.dislikes) if query else False
    name = escape(shown.label or "this picture", quote=True)
    return (
        '<div class="votes">'
        f'<button type="button" data-action="like" data-index="{index}" aria-pressed="{str(liked).lower()}" '
        f'title="More like this" aria-label="More like {name}">♥</button>'
        f'<button type="button" data-action="dislike" data-index="{index}" '
        f'aria-pressed="{str(disliked).lower()}" title="Less like this" aria-label="Less like {name}">✕'
        "</button>"
        "</div>"
    )


def _caption(shown: Card, tag: bool) -> str:
    figures = []
    if shown.closeness:
        figures.append(f'<b class="score">{escape(shown.closeness)}</b>')
    if shown.unusual is not None:
        title = escape(unusual_words(shown.unusual), quote=True)
        figures.append(f'<span class="rarity" title="{title}">{escape(_closer_than(shown.unusual))}</span>')
    if shown.copies:
        figures.append(
            f'<span class="copies">+{shown.copies} near-cop{"y" if shown.copies == 1 else "ies"}</span>'
        )
    if shown.weak and tag:
        figures.append('<span class="tag">weak</span>')
    lines = [f'<div class="figures">{" ".join(figures)}</div>'] if figures else []
    if shown.label:
        lines.append(
            f'<div class="label" title="{escape(shown.label, quote=True)}">{escape(shown.label)}</div>'
        )
    if shown.reason:
        lines.append(f'<div class="reason">{escape(shown.reason)}</div>')
    return f'<div class="about">{"".join(lines)}</div>' if lines else ""


def _closer_than(unusual: float) -> str:
    """Short, for the line below a picture; its title is `unusual_words`."""
    return "closer than any" if unusual >= 1 else f"closer than {rarity(unusual)}"


ACTIONS = ("open", "like", "dislike")
# Takes the rest of a row, so that the cards in it keep their size.
_FILLER = '<li class="filler" aria-hidden="true"></li>'
_WEAK = "Weak matches from here on: too many random pairs of this collection are as near"


def grid(elem_id: str, *, classes: str = "") -> gr.HTML:
    """The component; `click` tells what was done to which card: see `action_of`."""
    return gr.HTML(
        "",
        elem_id=elem_id,
        elem_classes=["grid-host", classes],
        js_on_load=script("grid.js"),
        apply_default_css=False,
    )


def action_of(event: gr.EventData, cards: Sequence[Card]) -> tuple[str, int] | None:
    """(what, index) of a click, or None for anything that the grid itself does not send."""
    data: dict[str, Any] = event._data if isinstance(event._data, dict) else {}
    what, index = data.get("action"), data.get("index")
    if what not in ACTIONS or isinstance(index, bool) or not isinstance(index, int):
        return None
    return (what, index) if 0 <= index < len(cards) else None


def grid_html(
    cards: Sequence[Card],
    query: Query | None = None,
    *,
    votes: bool = True,
    caption: bool = True,
    start: int = 0,
    ordered: bool = True,
) -> str:
    """The cards as a list; `ordered`: by score, so that weak ones can be told apart by a line."""
    if not cards:
        return ""
    items = []
    for place, shown in enumerate(cards):
        if ordered and shown.weak and (place == 0 or not cards[place - 1].weak):
            items.append(f'{_FILLER}<li class="divide"><span>{_WEAK}</span></li>')
        items.append(card_html(shown, start + place, query, votes=votes, caption=caption, tag=not ordered))
    return f'<ul class="grid">{"".join(items)}{_FILLER}</ul>'


def columns_html(
    columns: Sequence[tuple[str, str, Sequence[Card]]], query: Query | None = None, *, votes: bool = True
) -> str:
    """Grids side by side, each under its title and a line of figures."""
    parts, start = [], 0
    for title, figures, cards in columns:
        body = grid_html(cards, query, votes=votes, start=start) or '<p class="status">Nothing here.</p>'
        parts.append(
            f'<section class="column" aria-label="{escape(title, quote=True)}"><h3>{escape(title)}</h3>'
            f'<p class="status">{escape(figures)}</p>{body}</section>'
        )
        start += len(cards)
    return f'<div class="columns">{"".join(parts)}</div>'
