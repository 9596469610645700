"""Hits and what can be done with one: look at it, like it or not, search from it, ask why."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import Card, action_of, grid, query_picture
from page.components.event_wiring import QUIET, UNCHANGED, named_outputs
from page.components.reporting import REPORTS, Reports, report_html
from page.components.viewer_parts import fact_rows, pictures_html, similar_cards, similar_html, title_of
from page.originals import original_url
from page.shared_state import SEARCH, WHY, Pair, Query, Shared
from page.theme import script
from page.wording import credit, field_list
from pipeline.errors import SimileError
from pipeline.points import RESERVED

__all__ = ["HitsView", "actions_for", "hits_view", "step_of", "viewer_action", "viewer_html", "voted"]

ACTIONS = ("from", "like", "dislike", "why", "next", "previous", "similar", *REPORTS)
_BUTTONS = {
    "from": ("Search from this", "primary"),
    "like": ("♥ More like this", ""),
    "dislike": ("Less like this", ""),
    "why": ("Why?", ""),
}
log = logging.getLogger("simile")


@dataclass(frozen=True)
class _Update:
    """What a click on a card or on a button of the dialog changes."""

    viewer: Any = UNCHANGED
    selected: Any = UNCHANGED
    query: Any = UNCHANGED
    request: Any = UNCHANGED
    pair: Any = UNCHANGED
    tabs: Any = UNCHANGED


@dataclass(frozen=True)
class HitsView:
    """A grid, the cards behind it, and the larger view of one of them.

    Attributes:
        viewer: its value is the inside of a dialog; empty when that is closed.
        selected: number of the card in the dialog; a card of its own, where that is not among the hits.
    """

    grid: gr.HTML
    cards: gr.State
    viewer: gr.HTML
    selected: gr.State

    def connect(self, shared: Shared, query: gr.State, *, votes: bool = True) -> None:
        """Connects the buttons; likes and dislikes change `query`."""

        def actions(asked: Query | None) -> list[str]:
            return actions_for(asked, votes=votes)

        def clicked(cards: list[Card], asked: Query | None, event: gr.EventData) -> _Update:
            done = action_of(event, cards)
            if done is None:
                return _Update()
            what, index = done
            if what == "open":
                return _Update(viewer=_inside(shared, cards, index, asked, actions(asked)), selected=index)
            return done_to(cards[index], asked, what)

        reports = Reports(shared.library)

        def acted(
            cards: list[Card],
            selected: int | Card | None,
            asked: Query | None,
            event: gr.EventData,
            request: gr.Request,
        ) -> _Update:
            action = viewer_action(event)
            if isinstance(selected, Card):
                cards, index = [selected], 0
            else:
                index = selected if selected is not None else -1
            if action is None or not 0 <= index < len(cards):
                return _Update()
            if action in REPORTS:
                reports.take(cards[index], action, request.client.host if request.client else None)
                return _Update()
            if action in ("next", "previous"):
                step = step_of(action, index, len(cards))
                return _Update(viewer=_inside(shared, cards, step, asked, actions(asked)), selected=step)
            if action == "similar":
                other = _similar(shared, cards[index], event)
                inside = _inside(shared, [other], 0, asked, actions(asked)) if other else UNCHANGED
                return _Update(viewer=inside, selected=other if other else UNCHANGED)
            return replace(done_to(cards[index], asked, action), viewer="")

        def done_to(shown: Card, asked: Query | None, action: str) -> _Update:
            if action in ("like", "dislike"):
                return _Update(query=voted(asked, shown, action)) if votes else _Update()
            if action == "from":
                return _Update(request=Query((query_picture(shown),)), tabs=gr.Tabs(selected=SEARCH))
            if not asked or not asked.likes:
                return _Update()
            nearest = asked.likes[min(shown.nearest, len(asked.likes) - 1)]
            pair = Pair(nearest, query_picture(shown), shown.encoder, asked.likes)
            return _Update(pair=pair, tabs=gr.Tabs(selected=WHY))

        changed: dict[str, Any] = {"viewer": self.viewer, "selected": self.selected, "query": query}
        changed |= {"request": shared.request, "pair": shared.pair, "tabs": shared.tabs}
        self.grid.click(**named_outputs(clicked, changed), inputs=[self.cards, query], **QUIET)
        self.viewer.click(**named_outputs(acted, changed), inputs=[self.cards, self.selected, query], **QUIET)


def hits_view(name: str, classes: str = "", cards: gr.State | None = None) -> HitsView:
    """The components, with ids that begin with `name`; `cards` where other tabs show the same hits."""
    viewer = gr.HTML(
        "", elem_id=f"{name}-viewer", html_template="<i hidden></i>", js_on_load=script("viewer.js")
    )
    return HitsView(grid(f"{name}-hits", classes=classes), cards or gr.State([]), viewer, gr.State())


def voted(query: Query | None, shown: Card, what: str) -> Query:
    """The query after a like or dislike; the same vote again takes it back."""
    query, picture = query or Query(), query_picture(shown)
    held = query.likes if what == "like" else query.dislikes
    if any(other.same_as(picture) for other in held):
        return query.without(picture)
    return query.liking(picture) if what == "like" else query.disliking(picture)


def viewer_action(event: gr.EventData) -> str | None:
    """The button of the dialog that was pressed; None for anything that the dialog does not send."""
    data = event._data if isinstance(event._data, dict) else {}
    return data.get("action") if data.get("action") in ACTIONS else None


def step_of(action: str, index: int, count: int) -> int:
    """The index after `next` or `previous`; the ends stay where they are."""
    return max(0, min(count - 1, index + {"next": 1, "previous": -1}.get(action, 0)))


def actions_for(asked: Query | None, *, votes: bool = True) -> list[str]:
    """Buttons of the dialog. Without a picture in the query there is nothing to compare a hit with."""
    why = ["why"] if asked and asked.likes else []
    return ["from", *(["like", "dislike"] if votes else []), *why]


def _similar(shared: Shared, shown: Card, event: gr.EventData) -> Card | None:
    """The similar work that was pressed; None for anything that the larger view does not send."""
    point = event._data.get("point")
    found = shared.library.open(shown.collection)
    return next(
        (one for one in similar_cards(shown, found, shared.library.pictures) if one.id == point), None
    )


def _inside(shared: Shared, cards: list[Card], index: int, asked: Query | None, actions: list[str]) -> Any:
    try:
        return viewer_html(shared.library, cards, index, actions, asked)
    except SimileError as error:
        gr.Warning(str(error))
    except Exception:
        log.exception("a hit cannot be shown")
        gr.Warning("This picture cannot be shown now.")
    return UNCHANGED


def viewer_html(
    library: CollectionLibrary,
    cards: Sequence[Card],
    index: int,
    actions: Sequence[str],
    query: Query | None = None,
) -> str:
    """The inside of the dialog for card number `index`, beside the picture of `query` that it is like."""
    shown = cards[index]
    found = library.open(shown.collection)
    hit = found.get(shown.id)
    about = hit.payload.get(RESERVED) or {}
    reason = f'<p class="reason">{escape(shown.reason)}</p>' if shown.reason else ""
    title = title_of(shown, hit, found)
    count = f'<p class="count">{index + 1} of {len(cards)}</p>' if len(cards) > 1 else ""
    original = original_url(library, shown.collection, shown.id, hit.place)
    return (
        pictures_html(shown, hit, title, query) + f'<div class="facts">{count}<h2>{escape(title)}</h2>'
        f'<div class="buttons">{"".join(_button(action) for action in actions)}{_original(original)}</div>'
        f"{reason}{field_list(fact_rows(shown, hit, found))}"
        f"{credit(about.get('credit') or found.credit)}{report_html()}</div>"
        + similar_html(similar_cards(shown, found, library.pictures))
        + _step("previous", "Previous picture", "‹", index == 0)
        + _step("next", "Next picture", "›", index == len(cards) - 1)
        + '<button type="button" class="close" data-action="close" aria-label="Close">✕</button>'
    )


def _button(action: str) -> str:
    text, kind = _BUTTONS[action]
    return f'<button type="button" class="act {kind}" data-action="{action}">{text}</button>'


def _original(url: str | None) -> str:
    link = '<a class="act" target="_blank" rel="noopener" href="{}">Open the original</a>'
    return link.format(escape(url, quote=True)) if url else ""


def _step(action: str, label: str, sign: str, disabled: bool) -> str:
    off = " disabled" if disabled else ""
    return (
        f'<button type="button" class="step {action}" data-action="{action}" aria-label="{label}"{off}>{sign}'
        "</button>"
    )
