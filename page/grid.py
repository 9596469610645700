"""A grid of pictures in rows of one height: hits, examples, works to choose from."""

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from page.assets import script
from page.cards import Card, card_html
from page.shared import Query

__all__ = ["action_of", "columns_html", "grid", "grid_html"]

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
