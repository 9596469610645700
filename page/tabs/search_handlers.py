"""What the Search tab answers: each handler takes plain values and returns what the components show."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import Card, action_of, card, columns_html, grid_html, query_picture
from page.components.event_wiring import UNCHANGED, no_update
from page.components.filter_boxes import (
    MAX_FILTERS,
    FilterState,
    boxes_of,
    chosen_filters,
    more_filters,
    places_of,
    state_of,
)
from page.components.range_sliders import slid, sliders_html
from page.components.search_controls import SearchOptions
from page.deep_links import Link, link_to, read_link
from page.export import export_files
from page.rate_limit import counts_as_search
from page.run_search import FAILED, figures, run_search, shared_share
from page.shared_state import Query, Searched
from page.wording import credit, milliseconds, note
from pipeline.errors import SimileError
from pipeline.search import Settings

__all__ = ["HINT", "MAX_SHOWN", "CollectionUpdate", "MoreUpdate", "SearchHandlers", "SearchUpdate"]

HINT = "Drop in a picture, or start from one of the examples."
NOTHING = "Nothing here passes these filters; take one away."
NO_MATCH = "No picture here is near enough to count as a match; show the nearest instead."
MAX_SHOWN = 600  # cards that a visitor may gather by asking for more
_EXAMPLES = 30

log = logging.getLogger("simile")


def _hidden() -> Any:
    return gr.update(visible=False)


@dataclass(frozen=True)
class SearchUpdate:
    """What a search changes. The default shows nothing and offers nothing."""

    status: Any = UNCHANGED
    grid: Any = ""
    cards: Any = field(default_factory=list)
    credit: Any = ""
    more: Any = field(default_factory=_hidden)
    export: Any = field(default_factory=_hidden)
    files: Any = field(default_factory=_hidden)
    examples: Any = field(default_factory=_hidden)
    searched: Searched | None = None


@dataclass(frozen=True)
class MoreUpdate:
    """What a longer list of hits changes."""

    status: Any = UNCHANGED
    grid: Any = UNCHANGED
    cards: Any = UNCHANGED
    more: Any = UNCHANGED


@dataclass(frozen=True)
class CollectionUpdate:
    """What another collection changes: the controls and examples, and what a link into it asks for."""

    encoder: Any
    text: Any
    mode: Any
    filters: Sequence[Any]
    filter_group: Any
    more_filters: Any
    ranges: Any
    filter_state: FilterState
    examples: str
    example_cards: list[Card]
    metric: Any
    query: Any
    link: Link | None


class SearchHandlers:
    """Over the collections of one library."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    # --- collections and links

    def restore(self, request: gr.Request) -> tuple[Any, Any]:
        """The collection that the page's address asks for, and the rest of the link for `show_collection`."""
        try:
            link = read_link(list(request.query_params.multi_items()), self._library)
        except Exception as error:
            if not isinstance(error, SimileError):
                log.exception("a link cannot be read")
            gr.Warning("This link cannot be followed now.")
            return gr.skip(), None
        if link.ignored:
            gr.Warning(escape(f"Ignored in this link: {'; '.join(link.ignored)}."))
        return link.collection or gr.skip(), link

    def link(self, query: Query | None, name: str, metric: str, *chosen: Any) -> str:
        """An address that brings this search back; a notice says what it leaves out."""
        try:
            link = link_to(query, name, metric, chosen_filters(self._library.open(name), chosen))
        except SimileError as error:
            gr.Warning(escape(str(error)))
            return ""
        left_out = bool(query) and "from=" not in link
        own = " Your own pictures and parts of pictures are not in it." if left_out else ""
        gr.Info(f"The page's address is now a link to this search, and copied.{own}")
        return link

    def show_collection(self, name: str, link: Link | None = None) -> CollectionUpdate:
        """Controls and examples of a collection, then what a link into it asks for.

        A link into another collection is forgotten: the visitor has left it.
        """
        if link and link.collection not in (name, None):
            link = None
        places, state, chosen = None, FilterState(), link.filters if link else {}
        try:
            found = self._library.open(name)
            places, encoders = places_of(found), found.encoders
            boxes, state = boxes_of(found, places, chosen), state_of(places, chosen)
            cards = [card(hit, found.name) for hit in found.examples(_EXAMPLES)]
            entries = found.manifest.encoders
        except Exception as error:
            if not isinstance(error, SimileError):
                log.exception("collection %r cannot be shown", name)
            boxes, encoders, cards, entries = [_hidden()] * MAX_FILTERS, [], [], ()
        sliders = places.sliders[:MAX_FILTERS] if places else ()
        matches = [("All matches", "matches")] if any(entry.calibration for entry in entries) else []
        return CollectionUpdate(
            encoder=gr.update(
                choices=encoders, value=encoders[0] if encoders else None, visible=len(encoders) > 1
            ),
            text=gr.update(visible=any(entry.text for entry in entries)),
            mode=gr.update(
                choices=[("The nearest", "nearest"), *matches], value="nearest", visible=bool(matches)
            ),
            filters=boxes,
            filter_group=gr.update(visible=bool(sliders) or any(box.get("visible") for box in boxes)),
            more_filters=more_filters(places),
            ranges=gr.update(value=sliders_html(sliders, state.ranges), visible=bool(sliders)),
            filter_state=state,
            examples=grid_html(cards, votes=False, caption=False),
            example_cards=cards,
            metric=link.metric if link and link.metric else UNCHANGED,
            query=link.query if link and link.query else UNCHANGED,
            link=link,
        )

    def slide(self, name: str, state: FilterState, event: gr.EventData) -> Any:
        """A slider that was moved narrows the search."""
        try:
            moved = slid(event, places_of(self._library.open(name)).sliders)
        except SimileError:
            return gr.skip()
        if moved is None:
            return gr.skip()
        return state.moved(*moved)

    # --- the query

    def take_example(self, cards: list[Card], event: gr.EventData) -> Any:
        """The example that was clicked becomes the query."""
        done = action_of(event, cards)
        return Query((query_picture(cards[done[1]]),)) if done else gr.skip()

    def take_text(self, text: str, query: Query | None) -> Query:
        """Words are added to the pictures of the query."""
        return replace(query or Query(), text=(text or "").strip()[:300])

    # --- searches

    @counts_as_search
    def find(self, query: Query | None, name: str, *values: Any) -> SearchUpdate:
        """Searches; `values` are those of `SearchControls.inputs`."""
        if not query:
            return SearchUpdate(status=note(HINT), examples=gr.update(visible=True))
        options = SearchOptions.of(values)
        try:
            settings = options.settings(self._library.open(name))
            searched = Searched(name, settings, query, bool(options.side_by_side))
            if options.side_by_side:
                return self._side_by_side(searched)
            return self._nearest(searched)
        except SimileError as error:
            return SearchUpdate(status=note(str(error), problem=True))
        except Exception:
            log.exception("a search failed")
            return SearchUpdate(status=note(FAILED, problem=True))

    @counts_as_search
    def find_again(
        self, searched: Searched | None, query: Query | None, name: str, *values: Any
    ) -> SearchUpdate:
        """Searches anew after a change of collection, unless that search was answered already.

        This event may come after the visitor's own search in the new collection. Then nothing changes, so
        that its hits stay, and those that were added to them by "Show more".
        """
        if not query:
            return no_update(SearchUpdate)
        update = self.find(query, name, *values)
        return no_update(SearchUpdate) if searched and update.searched == searched else update

    @counts_as_search
    def more(self, cards: list[Card], query: Query | None, name: str, *values: Any) -> MoreUpdate:
        """The next hits after those that are shown."""
        if not query:
            return MoreUpdate()
        try:
            settings = SearchOptions.of(values).settings(self._library.open(name))
            following = replace(settings, offset=len(cards), k=min(settings.k, MAX_SHOWN - len(cards)))
            result = run_search(self._library, name, query, following)
            cards = [*cards, *result.cards]
            return MoreUpdate(
                status=note(figures(cards, result, settings)),
                grid=grid_html(cards, query, ordered=not settings.diversity),
                cards=cards,
                more=gr.update(visible=result.found.more and len(cards) < MAX_SHOWN),
            )
        except SimileError as error:
            return MoreUpdate(status=note(str(error), problem=True))
        except Exception:
            log.exception("more hits cannot be shown")
            return MoreUpdate(status=note(FAILED, problem=True))

    @counts_as_search
    def export(self, cards: list[Card], query: Query | None) -> tuple[Any, Any]:
        """A table, JSON and a contact sheet of what is shown, to be downloaded; and the status line."""
        try:
            return gr.update(value=export_files(self._library, cards), visible=True), gr.skip()
        except SimileError as error:
            return gr.skip(), note(str(error), problem=True)
        except Exception:
            log.exception("results cannot be exported")
            return gr.skip(), note("The results could not be exported.", problem=True)

    def _nearest(self, searched: Searched) -> SearchUpdate:
        settings = searched.settings
        result = run_search(self._library, searched.collection, searched.query, settings)
        line = figures(result.cards, result, settings)
        if not result.cards:
            line = NO_MATCH if settings.matches_only else NOTHING
        return SearchUpdate(
            status=note(line),
            grid=grid_html(result.cards, searched.query, ordered=not settings.diversity),
            cards=result.cards,
            credit=credit(result.collection.credit),
            more=gr.update(visible=result.found.more),
            export=gr.update(visible=bool(result.cards)),
            searched=searched,
        )

    def _side_by_side(self, searched: Searched) -> SearchUpdate:
        """Cosine and Hamming through the index, and exact cosine with which both are compared."""
        columns: dict[str, list[Card]] = {}
        times: dict[str, str] = {}
        for title, way in _ways(searched.settings).items():
            result = run_search(self._library, searched.collection, searched.query, way)
            columns[title] = result.cards
            times[title] = " · ".join(milliseconds({"search_ms": result.found.search_ms}))
        exact = columns["Exact cosine"]
        for title in ("Cosine", "Hamming"):
            times[title] += f" · {shared_share(columns[title], exact)} as exact cosine"
        agreed = shared_share(columns["Cosine"], columns["Hamming"])
        line = f"{result.collection.counted} pictures three ways · cosine and Hamming share {agreed}"
        return SearchUpdate(
            status=note(line),
            grid=columns_html(
                [(title, times[title], cards) for title, cards in columns.items()], searched.query
            ),
            cards=[shown for cards in columns.values() for shown in cards],
            credit=credit(result.collection.credit),
            searched=searched,
        )


def _ways(settings: Settings) -> dict[str, Settings]:
    """Title of a column -> the search in it."""
    return {
        "Cosine": replace(settings, metric="cosine", exact=False),
        "Hamming": replace(settings, metric="hamming", exact=False),
        "Exact cosine": replace(settings, metric="cosine", exact=True),
    }
