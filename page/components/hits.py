"""Hits and what can be done with one: look at it, like it or not, search from it, ask why."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from page.components.cards import Card, action_of, grid, picture_url, source_of
from page.library import Library
from page.state import SEARCH, WHY, Pair, Query, Shared
from page.text import Verbatim, credit, fields, sentence, unusual_words
from page.theme import script
from pipeline.errors import SimileError

__all__ = ["HitsView", "hits_view", "step_of", "viewer", "viewer_action", "viewer_html", "voted"]

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
log = logging.getLogger("simile")


def viewer(elem_id: str) -> gr.HTML:
    """The component; its value is the inside of a dialog, empty when that is closed."""
    return gr.HTML("", elem_id=elem_id, html_template="<i hidden></i>", js_on_load=script("viewer.js"))


@dataclass(frozen=True)
class HitsView:
    """A grid, the cards behind it, and the larger view of one of them."""

    grid: gr.HTML
    cards: gr.State
    viewer: gr.HTML
    selected: gr.State

    def connect(self, shared: Shared, query: gr.State, *, votes: bool = True) -> None:
        """`query` takes likes and dislikes."""
        actions = ["from", *(["like", "dislike"] if votes else []), "why"]

        def clicked(cards: list[Card], asked: Query | None, event: gr.EventData) -> tuple[Any, Any, Any]:
            done = action_of(event, cards)
            if done is None:
                return gr.skip(), gr.skip(), gr.skip()
            what, index = done
            if what != "open":
                return gr.skip(), gr.skip(), voted(asked, cards[index], what) if votes else gr.skip()
            return _inside(shared, cards, index, _possible(actions, asked)), index, gr.skip()

        def acted(
            cards: list[Card],
            index: int | None,
            asked: Query | None,
            event: gr.EventData,
        ) -> tuple[Any, ...]:
            nothing = (gr.skip(),) * 6
            action = viewer_action(event)
            if action is None or index is None or not 0 <= index < len(cards):
                return nothing
            shown = cards[index]
            if action in ("next", "previous"):
                step = step_of(action, index, len(cards))
                return _inside(shared, cards, step, _possible(actions, asked)), step, *nothing[2:]
            if action in ("like", "dislike"):
                return "", gr.skip(), voted(asked, shown, action), *nothing[3:]
            if action == "from":
                request = Query((source_of(shown),))
                return "", gr.skip(), gr.skip(), request, gr.skip(), gr.Tabs(selected=SEARCH)
            if not asked or not asked.sources:
                return nothing
            nearest = asked.sources[min(shown.nearest, len(asked.sources) - 1)]
            pair = Pair(nearest, source_of(shown), shown.encoder, asked.sources)
            return "", gr.skip(), gr.skip(), gr.skip(), pair, gr.Tabs(selected=WHY)

        self.grid.click(clicked, [self.cards, query], [self.viewer, self.selected, query], **_QUIET)
        self.viewer.click(
            acted,
            [self.cards, self.selected, query],
            [self.viewer, self.selected, query, shared.request, shared.pair, shared.tabs],
            **_QUIET,
        )


def hits_view(name: str, classes: str = "") -> HitsView:
    """The components, with ids that begin with `name`."""
    return HitsView(grid(f"{name}-hits", classes=classes), gr.State([]), viewer(f"{name}-viewer"), gr.State())


def voted(query: Query | None, shown: Card, what: str) -> Query:
    """The query after a like or dislike; the same vote again takes it back."""
    query, source = query or Query(), source_of(shown)
    held = query.sources if what == "like" else query.dislikes
    if any(other.same_as(source) for other in held):
        return query.without(source)
    return query.liking(source) if what == "like" else query.disliking(source)


def _possible(actions: list[str], asked: Query | None) -> list[str]:
    return [action for action in actions if action != "why" or (asked and asked.sources)]


def _inside(shared: Shared, cards: list[Card], index: int, actions: list[str]) -> Any:
    try:
        return viewer_html(shared.library, cards, index, actions)
    except SimileError as error:
        gr.Warning(str(error))
    except Exception:
        log.exception("a hit cannot be shown")
        gr.Warning("This picture cannot be shown now.")
    return gr.skip()


ACTIONS = ("from", "like", "dislike", "why", "next", "previous")
_BUTTONS = {
    "from": ("Search from this", "primary"),
    "like": ("♥ More like this", ""),
    "dislike": ("✕ Less like this", ""),
    "why": ("Why?", ""),
}


def viewer_action(event: gr.EventData) -> str | None:
    """What was asked for in the dialog."""
    data = event._data if isinstance(event._data, dict) else {}
    return data.get("action") if data.get("action") in ACTIONS else None


def step_of(action: str, index: int, count: int) -> int:
    """The index after `next` or `previous`; the ends stay where they are."""
    return max(0, min(count - 1, index + {"next": 1, "previous": -1}.get(action, 0)))


def viewer_html(library: Library, cards: Sequence[Card], index: int, actions: Sequence[str]) -> str:
    """The dialog for card number `index`."""
    shown = cards[index]
    found = library.open(shown.collection)
    hit = found.get(shown.id)
    about = hit.payload.get("_simile") or {}
    rows = [("Closeness", shown.closeness)] if shown.closeness else []
    if shown.unusual is not None:
        rows.append(("How rare", sentence(unusual_words(shown.unusual))))
    rows += [*hit.payload.items()]
    if about.get("width") and about.get("height"):
        rows.append(("Original size", f"{about['width']} × {about['height']}"))
    rows.append(("Place in its source", Verbatim(", ".join(about.get("places") or []))))
    if shown.copies:
        rows.append(("Near-copies", str(shown.copies)))
    reason = f'<p class="reason">{escape(shown.reason)}</p>' if shown.reason else ""
    title = escape(shown.label or found.title, quote=True)
    return (
        f'<img src="{escape(picture_url(shown.picture), quote=True)}" alt="{title}">'
        f'<div class="facts"><h3>{title}</h3>{reason}{fields(rows)}'
        f"{credit(about.get('credit') or found.credit)}"
        f'<div class="buttons">{"".join(_button(action) for action in actions)}</div></div>'
        + _step("previous", "Previous picture", "‹", index == 0)
        + _step("next", "Next picture", "›", index == len(cards) - 1)
        + '<button type="button" class="close" data-action="close" aria-label="Close">✕</button>'
    )


def _button(action: str) -> str:
    text, kind = _BUTTONS[action]
    return f'<button type="button" class="act {kind}" data-action="{action}">{text}</button>'


def _step(action: str, label: str, sign: str, disabled: bool) -> str:
    off = " disabled" if disabled else ""
    return (
        f'<button type="button" class="step {action}" data-action="{action}" aria-label="{label}"{off}>{sign}'
        "</button>"
    )
