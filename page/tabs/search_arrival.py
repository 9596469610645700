"""What Search shows when a visitor arrives: by a link, by back and forward, or in another collection."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from html import escape
from typing import Any

import gradio as gr

from page.address import Link, read_link
from page.collection_library import CollectionLibrary
from page.components.address_bar import address_of, said
from page.components.cards import Card, card, grid_html
from page.components.event_wiring import UNCHANGED, no_update
from page.components.filter_boxes import (
    MAX_FILTERS,
    FilterState,
    boxes_of,
    chosen_filters,
    chosen_in_boxes,
    more_filters,
    places_of,
    state_of,
)
from page.components.filter_chips import without_chip
from page.components.hits import actions_for, viewer_html
from page.components.label_list import labels_json
from page.components.palette import chosen_colours, palette_html
from page.components.query_panel import shown
from page.components.range_sliders import slid, sliders_html
from page.components.search_controls import SearchOptions
from page.components.start import start_html
from page.own_uploads import OwnUploads, owner_of
from page.rate_limit import counts_as_search
from page.shared_state import SEARCH, Query
from page.tabs.search_handlers import SearchHandlers
from page.tabs.search_update import SearchUpdate
from page.wording import value_words
from pipeline.errors import SimileError
from pipeline.search import Collection

__all__ = ["ArrivalHandlers", "CollectionUpdate", "FilterUpdate", "ViewUpdate"]

_EXAMPLES = 30
_UNREADABLE = "This link cannot be followed now."
_PLAIN = tuple(one.name for one in fields(SearchOptions) if one.name not in ("filters", "encoder"))
log = logging.getLogger("simile")


@dataclass(frozen=True)
class CollectionUpdate:
    """What another collection changes: the controls that depend on it, and its examples."""

    shown_for: Any = UNCHANGED
    encoder: Any = UNCHANGED
    text: Any = UNCHANGED
    labels: Any = UNCHANGED
    filters: Any = UNCHANGED
    filter_group: Any = UNCHANGED
    more_filters: Any = UNCHANGED
    ranges: Any = UNCHANGED
    filter_state: Any = UNCHANGED
    colours: Any = UNCHANGED
    colours_view: Any = UNCHANGED
    examples: Any = UNCHANGED
    example_cards: Any = UNCHANGED
    start: Any = UNCHANGED


@dataclass(frozen=True)
class FilterUpdate:
    """What the filters and the palette become."""

    filters: Any = UNCHANGED
    ranges: Any = UNCHANGED
    filter_state: Any = UNCHANGED
    colours: Any = UNCHANGED
    colours_view: Any = UNCHANGED


@dataclass(frozen=True)
class ViewUpdate:
    """What an arrival changes beside the controls of the collection and the hits."""

    collection: Any = UNCHANGED
    query: Any = UNCHANGED
    view: Any = UNCHANGED
    drop: Any = UNCHANGED
    adding: Any = UNCHANGED
    drawn: Any = UNCHANGED
    words: Any = UNCHANGED
    include: Any = UNCHANGED
    tabs: Any = UNCHANGED
    viewer: Any = ""
    selected: Any = UNCHANGED
    options: Sequence[Any] = (UNCHANGED,) * len(_PLAIN)  # of the other controls, in the order of `PLAIN`


class ArrivalHandlers:
    """Over the collections of one library."""

    plain = _PLAIN

    def __init__(self, library: CollectionLibrary, searches: SearchHandlers, uploads: OwnUploads) -> None:
        self._library, self._searches, self._uploads = library, searches, uploads

    def load(self, request: gr.Request) -> tuple[Any, ...]:
        """Everything as the address asks for with which the page was opened.

        It does not count as a search, because it may come before the page's heartbeat. So it decodes no
        pictures: an address that needs that is sent back, for `go_to`.
        """
        return self._arrive(list(request.query_params.multi_items()), request, decodes=False)

    @counts_as_search
    def go_to(self, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Everything as the address asks for that the visitor went back or forward to."""
        pairs = address_of(event)
        if pairs is None:
            return CollectionUpdate(), no_update(SearchUpdate), no_update(ViewUpdate)
        return self._arrive(pairs, request, decodes=True)

    def _arrive(self, pairs: list[tuple[str, str]], request: gr.Request, decodes: bool) -> tuple[Any, ...]:
        try:
            link = read_link(pairs, self._library, self._uploads, owner_of(request.cookies))
            if link.ignored:
                gr.Warning(escape(f"Ignored in this link: {'; '.join(link.ignored)}."))
            if link.query and link.query.own_pictures and not decodes:
                back = replace(no_update(SearchUpdate), address=said("", "again"))
                return CollectionUpdate(), back, no_update(ViewUpdate)
            return self.arrival(link, opens=not decodes)
        except Exception as error:
            if not isinstance(error, SimileError):
                log.exception("a link cannot be read")
            gr.Warning(_UNREADABLE)
            return CollectionUpdate(), no_update(SearchUpdate), no_update(ViewUpdate)

    def arrival(self, link: Link, opens: bool = False) -> tuple[CollectionUpdate, SearchUpdate, ViewUpdate]:
        """What a link asks for; without a collection, the first one.

        Args:
            opens: the page was just opened, so without words in the link those that a visitor may have
                written meanwhile stay.

        Raises:
            SimileError: the collection cannot be opened.
        """
        name = link.collection or next((value for _, value in self._library.titles()), None)
        if name is None:
            return CollectionUpdate(), no_update(SearchUpdate), ViewUpdate()
        found = self._library.open(name)
        places = places_of(found)
        state = state_of(places, link.filters)
        boxes = chosen_in_boxes(places, link.filters)
        options = SearchOptions(**{**link.options, "filters": (*boxes, state)})
        if options.encoder is None:
            options = replace(options, encoder=found.encoders[0])
        query = link.query or Query()
        asked = self._searches.asked(query, name, options)
        answer = self._searches.answer(asked, link.shown)
        viewer, selected = self._viewer(found, answer, link.opened, query)
        opened = link.opened if viewer else ""
        address = said(self._searches.link(asked, options, link.shown), "arrival", link.tab, opened)
        panel, drop, adding, drawn = shown(query)
        view = ViewUpdate(
            collection=name,
            query=query,
            view=panel,
            drop=drop,
            adding=adding,
            drawn=drawn,
            words=UNCHANGED if opens and not query.text else gr.update(value=query.text),
            include=gr.update(visible=False),
            tabs=gr.Tabs(selected=link.tab or SEARCH),
            viewer=viewer,
            selected=selected,
            options=[getattr(options, one) for one in _PLAIN],
        )
        return self._controls(found, link, options), replace(answer, address=address), view

    def _viewer(
        self, found: Collection, answer: SearchUpdate, opened: str, query: Query
    ) -> tuple[str, int | Card | None]:
        """The inside of the larger view, and what it shows: a hit by its number, or another picture."""
        cards: list[Card] = answer.cards
        index = next((at for at, one in enumerate(cards) if one.id == opened), None)
        if index is not None:
            return viewer_html(self._library, cards, index, actions_for(query), query), index
        try:
            alone = card(found.get(str(uuid.UUID(opened))), found.name, pictures=self._library.pictures)
            return viewer_html(self._library, [alone], 0, actions_for(query)), alone
        except (ValueError, SimileError):  # no picture is open, or it is gone
            return "", None

    def show_collection(self, shown_for: str | None, name: str) -> CollectionUpdate:
        """Controls and examples of a collection that was chosen, unless they are shown already."""
        if shown_for == name:
            return CollectionUpdate()
        try:
            found = self._library.open(name)
            return self._controls(found, Link(name), SearchOptions(encoder=found.encoders[0]))
        except Exception as error:
            if not isinstance(error, SimileError):
                log.exception("collection %r cannot be shown", name)
            hidden = gr.update(visible=False)
            return CollectionUpdate(
                shown_for=name,
                encoder=gr.update(choices=[], value=None, visible=False),
                text=hidden,
                filters=[hidden] * MAX_FILTERS,
                filter_group=hidden,
                colours="",
                colours_view=hidden,
                filter_state=FilterState(),
                examples=gr.update(value=""),
                example_cards=[],
            )

    def _controls(self, found: Collection, link: Link, options: SearchOptions) -> CollectionUpdate:
        places = places_of(found)
        boxes, state = boxes_of(found, places, link.filters), state_of(places, link.filters)
        cards = [card(hit, found.name, pictures=self._library.pictures) for hit in found.examples(_EXAMPLES)]
        sliders = places.sliders[:MAX_FILTERS]
        return CollectionUpdate(
            shown_for=found.name,
            encoder=gr.update(choices=found.encoders, value=options.encoder, visible=len(found.encoders) > 1),
            text=self._words(found, options),
            labels=labels_json(found),
            filters=boxes,
            filter_group=gr.update(visible=bool(sliders) or any(box.get("visible") for box in boxes)),
            more_filters=more_filters(places),
            ranges=gr.update(value=sliders_html(sliders, state.ranges), visible=bool(sliders)),
            filter_state=state,
            colours=options.colours,
            colours_view=gr.update(
                value=palette_html(chosen_colours(options.colours)), visible=bool(found.manifest.colours)
            ),
            examples=gr.update(value=grid_html(cards, votes=False, caption=False)),
            example_cards=cards,
            start=gr.update(value=start_html(self._library, found.name)),
        )

    @staticmethod
    def _words(found: Collection, options: SearchOptions) -> Any:
        """The box for words: free where the encoder reads text, else for the collection's labels."""
        fields = [name for name in found.filters if found.kinds[name].kind == "text"]
        if found.encoder_entry(options.encoder).text:
            return gr.update(visible=True, placeholder="a boat at dusk")
        some = [value_words(values[0][0]) for name in fields[-2:] if (values := found.facets(name, limit=1))]
        return gr.update(visible=bool(some), placeholder=f"such as {' '.join(some).lower()}")

    def take_off(self, event: gr.EventData, name: str, *chosen: Any) -> FilterUpdate:
        """A filter that was taken off by its chip, or all of them."""
        found = self._library.open(name)
        left = without_chip(event, chosen_filters(found, chosen))
        return FilterUpdate() if left is None else self._filters(found, left)

    def clear(self, name: str, event: gr.EventData) -> FilterUpdate:
        """A new search begins without filters and colours."""
        data = event._data if isinstance(event._data, dict) else {}
        if data.get("action") != "clear":
            return FilterUpdate()
        empty = self._filters(self._library.open(name), {})
        return replace(empty, colours="", colours_view=palette_html(()))

    def _filters(self, found: Collection, wanted: dict[str, Any]) -> FilterUpdate:
        places = places_of(found)
        state = state_of(places, wanted)
        sliders = places.sliders[:MAX_FILTERS]
        return FilterUpdate(
            filters=boxes_of(found, places, wanted),
            ranges=gr.update(value=sliders_html(sliders, state.ranges), visible=bool(sliders)),
            filter_state=state,
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
