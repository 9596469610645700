"""Hits and what can be done with one: look at it, like it or not, search from it, ask why."""

import logging
from dataclasses import dataclass
from typing import Any

import gradio as gr

from page.cards import Card, source_of
from page.grid import action_of, grid
from page.shared import SEARCH, WHY, Pair, Query, Shared
from page.viewer import step_of, viewer, viewer_action, viewer_html
from pipeline.errors import SimileError

__all__ = ["HitsView", "hits_view", "voted"]

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
log = logging.getLogger("simile")


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
