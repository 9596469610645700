"""A new query is searched from, and shown, in one event: each event costs a visitor two requests."""

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from page.components.cards import Card, action_of, query_picture
from page.components.event_wiring import UNCHANGED, named_outputs, no_update
from page.components.query_panel import QueryPanel, shown
from page.rate_limit import counts_as_search
from page.shared_state import Query, Searched
from page.tabs.search_handlers import SearchHandlers
from page.tabs.search_update import SearchUpdate

__all__ = ["QueryChanges", "QueryUpdate"]


@dataclass(frozen=True)
class QueryUpdate:
    """What a new query changes beside the hits: its panel, and what belonged to the last query."""

    query: Any = UNCHANGED
    view: Any = UNCHANGED
    drop: Any = UNCHANGED
    adding: Any = UNCHANGED
    drawn: Any = UNCHANGED
    text: Any = UNCHANGED
    include: Any = UNCHANGED


class QueryChanges:
    """Over the searches of one page."""

    def __init__(self, searches: SearchHandlers) -> None:
        self._searches = searches

    def connect(
        self,
        panel: QueryPanel,
        examples: gr.HTML,
        cards: gr.State,
        answered: dict[str, Any],
        search: dict[str, Any],
    ) -> None:
        """A change of the panel's query, and a click on an example, are one event each.

        Args:
            examples, cards: their grid, and the cards in it.
            answered: components by the fields of `SearchUpdate` and, without the panel, of `QueryUpdate`.
            search: the options of an event that searches.
        """
        answered = answered | panel.outputs
        asked = search | named_outputs(self.find_query, answered)
        panel.query.change(
            trigger_mode="always_last", **(asked | {"inputs": [panel.drawn, *search["inputs"]]})
        )
        # Not queued, which saves two requests and the queue's steps of 50 ms: no picture has to be decoded.
        clicked = search | named_outputs(self.find_example, answered) | {"queue": False}
        examples.click(**(clicked | {"inputs": [cards, *search["inputs"]]}))

    @counts_as_search
    def find_example(
        self,
        cards: list[Card],
        event: gr.EventData,
        searched: Searched | None,
        query: Query | None,
        name: str,
        *values: Any,
    ) -> tuple[SearchUpdate, QueryUpdate]:
        """The example that was clicked becomes the query.

        Args:
            query: the one before.
            values: those of `SearchControls.inputs`.
        """
        done = action_of(event, cards)
        if done is None:
            return no_update(SearchUpdate), QueryUpdate()
        query = Query((query_picture(cards[done[1]]),))
        panel = replace(_panel(None, query), query=query)
        return self._searches.find(searched, query, name, *values), panel

    @counts_as_search
    def find_query(
        self, drawn: Query | None, searched: Searched | None, query: Query | None, name: str, *values: Any
    ) -> tuple[SearchUpdate, QueryUpdate]:
        """The query has changed. What is drawn already stays as it is, as does what a visitor has written or
        put there since.
        """
        panel = _panel(drawn, query or Query())
        return self._searches.find(searched, query, name, *values), panel


def _panel(drawn: Query | None, query: Query) -> QueryUpdate:
    if drawn == query:
        return QueryUpdate()
    view, drop, adding, now_drawn = shown(query)
    has_new_words = drawn is None or drawn.text != query.text
    return QueryUpdate(
        view=view,
        drop=drop,
        adding=adding,
        drawn=now_drawn,
        text=query.text if has_new_words else UNCHANGED,
        include=gr.update(visible=False),
    )
