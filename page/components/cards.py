"""A hit as the page keeps it for a visitor, and what its card in the grid looks like."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from page.components.proportions import proportions_of
from page.hit_pictures import HitPictures, stored_picture_url
from page.shared_state import Query, QueryPicture
from page.theme import script
from page.wording import closeness, readable, top_share, unusual_words
from pipeline.search import Hit

__all__ = [
    "ACTIONS",
    "Card",
    "action_of",
    "card",
    "card_html",
    "columns_html",
    "grid",
    "grid_html",
    "picture_url",
    "query_picture",
    "url_of",
]

ACTIONS = ("open", "like", "dislike", "from", "why")
_MOST_IN_A_ROW = 16  # cards; so many places without a picture may be needed to fill the last row
_PATH = "M12 20.5C5 15 2.5 11.7 2.5 8.4A4.9 4.9 0 0 1 12 6.6a4.9 4.9 0 0 1 9.5 1.8c0 3.3-2.5 6.6-9.5 12.1z"
_ICON = '<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true">{}</svg>'
_HEART = _ICON.format(f'<path d="{_PATH}" fill="currentColor"/>')
_NO_HEART = _ICON.format(
    f'<path d="{_PATH}" fill="none" stroke="currentColor" stroke-width="2"/>'
    '<path d="M3.5 3.5l17 17" stroke="currentColor" stroke-width="2.5" stroke-linecap="round"/>'
)


@dataclass(frozen=True)
class Card:
    """A hit in few bytes, because a visitor keeps hundreds of them.

    Attributes:
        label: its classes as people write them.
        shape: width / height, bounded so that it fits the grid.
        tiny: so few pixels that it is shown smaller.
        squeezed: it was indexed in another shape, and is shown in its own.
        metric: the one of the search; None for a picture that was not searched for.
        encoder: the one that found it; None for the collection's default.
        nearest: number of the query's picture that it is most like.

    The payload stays in the collection; the other fields are those of `pipeline.search.Hit`.
    """

    id: str
    collection: str
    label: str
    shape: float = 1.0
    tiny: bool = False
    squeezed: bool = False
    metric: str | None = None
    score: float = 1.0
    distance: float | int = 0
    unusual: float | None = None
    weak: bool = False
    copies: int = 0
    reason: str = ""
    encoder: str | None = None
    nearest: int = 0

    @property
    def url(self) -> str:
        """Address of its picture, relative to the page."""
        return stored_picture_url(self.collection, self.id)

    @property
    def closeness(self) -> str:
        """Score or bits; empty for a picture that was not searched for."""
        return closeness(self.metric, self.score, self.distance) if self.metric else ""


def card(
    hit: Hit,
    collection: str,
    metric: str | None = None,
    reason: str = "",
    encoder: str | None = None,
    nearest: int = 0,
    *,
    pictures: HitPictures | None = None,
) -> Card:
    """The card of a hit.

    Args:
        pictures: keeps its picture for the browser that will ask for it; None: the store is asked then.
    """
    if pictures is not None:
        pictures.keep(collection, hit)
    size = proportions_of(hit.payload)
    label = " · ".join(readable(part) for part in hit.label.split(" · ")) if hit.label else ""
    return Card(
        id=hit.id,
        collection=collection,
        label=label,
        shape=min(2.4, max(0.5, size.shape)),
        tiny=hit.is_tiny,
        squeezed=size.squeezed,
        metric=metric,
        score=hit.score,
        distance=hit.distance,
        unusual=hit.unusual,
        weak=bool(hit.weak),
        copies=len(hit.copies),
        reason=reason,
        encoder=encoder,
        nearest=nearest,
    )


def query_picture(shown: Card) -> QueryPicture:
    """A card as a picture to search from."""
    return QueryPicture(point_id=shown.id, collection=shown.collection, label=shown.label)


def url_of(picture: QueryPicture) -> str:
    """Where a browser finds a picture of the query."""
    if picture.point_id and picture.collection:
        return stored_picture_url(picture.collection, picture.point_id)
    return picture_url(picture.preview or picture.file)


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
) -> str:
    """One `<li>` of a grid; its buttons say what they do and to which card."""
    spoken_words = [shown.label or "Picture", shown.closeness, unusual_words(shown.unusual), shown.reason]
    words = escape(", ".join(part for part in spoken_words if part), quote=True)
    classes = "card" + (" tiny" if shown.tiny else "") + (" squeezed" if shown.squeezed else "")
    opener = (
        f'<button type="button" class="open" data-action="open" data-index="{index}" aria-label="{words}">'
        f'<img src="{escape(shown.url, quote=True)}" alt="" loading="lazy" '
        'decoding="async"></button>'
    )
    acts = _votes(shown, index, query) if votes else ""
    below = _caption(shown) if caption else ""
    frame = f'<div class="frame">{opener}{acts}</div>'
    point = escape(shown.id, quote=True)
    return f'<li class="{classes}" data-point="{point}" style="--r:{shown.shape:.3f}">{frame}{below}</li>'


def _votes(shown: Card, index: int, query: Query | None) -> str:
    picture = query_picture(shown)
    liked = any(one.same_as(picture) for one in query.likes) if query else False
    disliked = any(one.same_as(picture) for one in query.dislikes) if query else False
    name = escape(shown.label or "this picture", quote=True)
    return (
        '<div class="votes">'
        + _vote("like", index, liked, f"More like {name}", "More like this", _HEART)
        + _vote("dislike", index, disliked, f"Less like {name}", "Less like this", _NO_HEART)
        + "</div>"
    )


def _vote(what: str, index: int, pressed: bool, label: str, title: str, icon: str) -> str:
    """A button for the mouse and fingers; on the keyboard, a hit is one stop with a menu (static/grid.js)."""
    word = title.split()[0]
    return (
        f'<button type="button" tabindex="-1" data-action="{what}" data-index="{index}" '
        f'aria-pressed="{str(pressed).lower()}" title="{title}" aria-label="{label}">{icon}'
        f'<span class="word" aria-hidden="true">{word}</span></button>'
    )


def _caption(shown: Card) -> str:
    figures = []
    if shown.closeness:
        figures.append(f'<b class="score">{escape(shown.closeness)}</b>')
    if shown.unusual is not None:
        title = escape(unusual_words(shown.unusual), quote=True)
        figures.append(f'<span class="rarity" title="{title}">{escape(top_share(shown.unusual))}</span>')
    if shown.copies:
        figures.append(f'<span class="copies">+{shown.copies} near-duplicate{"s"[: shown.copies > 1]}</span>')
    lines = [f'<div class="figures">{" ".join(figures)}</div>'] if figures else []
    if shown.label:
        lines.append(
            f'<div class="label" title="{escape(shown.label, quote=True)}">{escape(shown.label)}</div>'
        )
    if shown.reason:
        lines.append(f'<div class="reason">{escape(shown.reason)}</div>')
    return f'<div class="about">{"".join(lines)}</div>' if lines else ""


def grid(elem_id: str, *, classes: str = "") -> gr.HTML:
    """The component; `action_of` reads from its `click` event what was done to which card."""
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
    endless: bool = False,
) -> str:
    """The cards as a list.

    Args:
        start: index of the first card, where one event handler serves several grids.
        endless: more are asked for when the visitor scrolls to the end.
    """
    if not cards:
        return ""
    items = [
        card_html(shown, start + place, query, votes=votes, caption=caption)
        for place, shown in enumerate(cards)
    ]
    kind = "grid endless" if endless else "grid"
    filler = f'<li class="{"filler tiny" if cards[-1].tiny else "filler"}" aria-hidden="true"></li>'
    return f'<ul class="{kind}">{"".join(items)}{filler * _MOST_IN_A_ROW}</ul>'


def columns_html(
    columns: Sequence[tuple[str, str, Sequence[Card]]], query: Query | None = None, *, votes: bool = True
) -> str:
    """Grids side by side, each under its title and a line of figures."""
    parts, start = [], 0
    for title, figures, cards in columns:
        body = grid_html(cards, query, votes=votes, start=start) or '<p class="status">Nothing here.</p>'
        parts.append(
            f'<section class="column" aria-label="{escape(title, quote=True)}"><h2>{escape(title)}</h2>'
            f'<p class="status">{escape(figures)}</p>{body}</section>'
        )
        start += len(cards)
    return f'<div class="columns">{"".join(parts)}</div>'
