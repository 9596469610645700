"""Hits and what can be done with one: look at it, like it or not, search from it, ask why."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import Card, action_of, grid, picture_url, query_picture
from page.components.event_wiring import QUIET, UNCHANGED, named_outputs
from page.components.reporting import REPORTS, Reports, report_html
from page.originals import original_url
from page.shared_state import SEARCH, WHY, Pair, Query, Shared
from page.theme import script
from page.wording import Verbatim, credit, field_list, sentence, unusual_words
from pipeline.errors import SimileError
from pipeline.points import RESERVED
from pipeline.sources.extensions import PICTURES, kind_of

__all__ = ["HitsView", "actions_for", "hits_view", "step_of", "viewer_action", "viewer_html", "voted"]

ACTIONS = ("from", "like", "dislike", "why", "next", "previous", *REPORTS)
_BUTTONS = {
    "from": ("Search from this", "primary"),
    "like": ("♥ More like this", ""),
    "dislike": ("✕ Less like this", ""),
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
        selected: number of the card in the dialog.
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
            if what != "open":
                return _Update(query=voted(asked, cards[index], what)) if votes else _Update()
            return _Update(viewer=_inside(shared, cards, index, actions(asked)), selected=index)

        reports = Reports(shared.library)

        def acted(
            cards: list[Card],
            index: int | None,
            asked: Query | None,
            event: gr.EventData,
            request: gr.Request,
        ) -> _Update:
            action = viewer_action(event)
            if action is None or index is None or not 0 <= index < len(cards):
                return _Update()
            shown = cards[index]
            if action in REPORTS:
                reports.take(shown, action, request.client.host if request.client else None)
                return _Update()
            if action in ("next", "previous"):
                step = step_of(action, index, len(cards))
                return _Update(viewer=_inside(shared, cards, step, actions(asked)), selected=step)
            if action in ("like", "dislike"):
                return _Update(viewer="", query=voted(asked, shown, action))
            if action == "from":
                return _Update(
                    viewer="", request=Query((query_picture(shown),)), tabs=gr.Tabs(selected=SEARCH)
                )
            if not asked or not asked.likes:
                return _Update()
            nearest = asked.likes[min(shown.nearest, len(asked.likes) - 1)]
            pair = Pair(nearest, query_picture(shown), shown.encoder, asked.likes)
            return _Update(viewer="", pair=pair, tabs=gr.Tabs(selected=WHY))

        changed: dict[str, Any] = {"viewer": self.viewer, "selected": self.selected, "query": query}
        self.grid.click(**named_outputs(clicked, changed), inputs=[self.cards, query], **QUIET)
        changed |= {"request": shared.request, "pair": shared.pair, "tabs": shared.tabs}
        self.viewer.click(**named_outputs(acted, changed), inputs=[self.cards, self.selected, query], **QUIET)


def hits_view(name: str, classes: str = "") -> HitsView:
    """The components, with ids that begin with `name`."""
    viewer = gr.HTML(
        "", elem_id=f"{name}-viewer", html_template="<i hidden></i>", js_on_load=script("viewer.js")
    )
    return HitsView(grid(f"{name}-hits", classes=classes), gr.State([]), viewer, gr.State())


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


def _inside(shared: Shared, cards: list[Card], index: int, actions: list[str]) -> Any:
    try:
        return viewer_html(shared.library, cards, index, actions)
    except SimileError as error:
        gr.Warning(str(error))
    except Exception:
        log.exception("a hit cannot be shown")
        gr.Warning("This picture cannot be shown now.")
    return UNCHANGED


def viewer_html(library: CollectionLibrary, cards: Sequence[Card], index: int, actions: Sequence[str]) -> str:
    """The inside of the dialog for card number `index`."""
    shown = cards[index]
    found = library.open(shown.collection)
    hit = found.get(shown.id)
    about = hit.payload.get(RESERVED) or {}
    rows = [("Closeness", shown.closeness)] if shown.closeness else []
    if shown.unusual is not None:
        rows.append(("How rare", sentence(unusual_words(shown.unusual))))
    rows += [*hit.payload.items()]
    if about.get("width") and about.get("height"):
        rows.append(("Original size", f"{about['width']} × {about['height']}"))
    files = [place.rpartition(":")[0] for place in hit.places]
    rows.append(("File", Verbatim(", ".join(one for one in files if kind_of(one) in PICTURES))))
    if shown.copies:
        rows.append(("Near-duplicates", str(shown.copies)))
    reason = f'<p class="reason">{escape(shown.reason)}</p>' if shown.reason else ""
    title = escape(shown.label or found.title, quote=True)
    original = original_url(library, shown.collection, shown.id, hit.place)
    return (
        f'<img src="{escape(picture_url(shown.picture), quote=True)}" alt="{title}" '
        f'data-id="{escape(shown.id, quote=True)}">'
        f'<div class="facts"><p class="count">{index + 1} of {len(cards)}</p><h2>{title}</h2>'
        f"{reason}{field_list(rows)}"
        f"{credit(about.get('credit') or found.credit)}"
        f'<div class="buttons">{"".join(_button(action) for action in actions)}{_original(original)}</div>'
        f"{report_html()}"
        "</div>"
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
