"""What the Search tab answers: each handler takes plain values and returns what the components show."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from page.address import link_to
from page.collection_library import CollectionLibrary
from page.components.address_bar import said
from page.components.cards import Card, card, columns_html, grid_html, query_picture
from page.components.closeness import STEPS, closeness_html
from page.components.event_wiring import no_update
from page.components.filter_chips import chips_html
from page.components.liked_cards import liked_cards
from page.components.search_controls import SearchOptions
from page.components.start import chosen_start
from page.export import export_files
from page.own_uploads import OwnUploads
from page.rate_limit import counts_as_search
from page.run_search import FAILED, SearchResult, examples_of, figures, run_search, shared_share
from page.shared_state import Query, Searched
from page.tabs.search_everywhere import everywhere
from page.tabs.search_update import MoreUpdate, SearchUpdate
from page.wording import credit, milliseconds, note, result_line
from pipeline.errors import SimileError
from pipeline.index_quality.calibration import match_threshold
from pipeline.search import Settings
from pipeline.search.browse import browse
from pipeline.search.query import is_vector_text, words_or_vector

__all__ = ["HINT", "MAX_SHOWN", "SearchHandlers"]

HINT = "Drop in a picture of your own, or click one of these."
NOTHING = "Nothing here passes these filters; remove one."
NONE_SO_CLOSE = "No picture here is that close; move Closeness back."
MAX_SHOWN = 600  # cards that a visitor may gather by asking for more

log = logging.getLogger("simile")


class SearchHandlers:
    """Over the collections of one library; addresses name the uploads of `uploads`."""

    def __init__(self, library: CollectionLibrary, uploads: OwnUploads | None = None) -> None:
        self._library, self._uploads = library, uploads

    # --- the query

    def begin(self, name: str, event: gr.EventData) -> tuple[Any, Any]:
        """(collection, query) after a choice on the first screen."""
        chosen = chosen_start(event)
        if chosen == "surprise":
            hits = self._library.open(name).sample(1)
            cards = [card(hit, name, pictures=self._library.pictures) for hit in hits]
            return gr.skip(), Query((query_picture(cards[0]),)) if cards else gr.skip()
        wanted = (chosen or "").removeprefix("collection:")
        return wanted if wanted in self._library.names() else gr.skip(), gr.skip()

    def take_text(self, text: str, query: Query | None) -> Query:
        """Words are added to the pictures of the query."""
        said = (text or "").strip()
        return replace(query or Query(), text=said if is_vector_text(said) else said[:300])

    # --- searches

    @counts_as_search
    def find(self, searched: Searched | None, query: Query | None, name: str, *values: Any) -> SearchUpdate:
        """Searches, unless `searched` says that this was answered already.

        One change may set off several events: an address, for example, sets the query and the collection.

        Args:
            values: those of `SearchControls.inputs`.
        """
        try:
            options = SearchOptions.of(values)
            asked = self.asked(query, name, options)
        except SimileError as error:
            return SearchUpdate(status=note(str(error), problem=True))
        if asked == searched:
            return no_update(SearchUpdate)
        return replace(self.answer(asked), address=said(self.link(asked, options)))

    def asked(self, query: Query | None, name: str, options: SearchOptions) -> Searched:
        """The search that the controls describe.

        Raises:
            SimileError: a value is out of bounds, or there is no such collection.
        """
        settings = options.settings(self._library.open(name))
        near = options.closeness if options.closeness in STEPS else 0
        if query and query.text and query.likes:  # a picture and words mean both, not one of them
            settings = replace(settings, combine="average")
        return Searched(
            name, settings, query or Query(), bool(options.side_by_side), near, options.everywhere
        )

    def answer(self, asked: Searched, shown: int = 0) -> SearchUpdate:
        """What is found. Without a query, the hint and the examples.

        Args:
            shown: as many hits, if they are more than the search shows at a time.
        """
        if asked.browses and not asked.settings.filters:
            both = gr.update(visible=True)
            return SearchUpdate(status=note(HINT), examples=both, start=both, searched=asked)
        try:
            if asked.browses:
                answer = self._browse(asked, shown)
            elif asked.everywhere:
                answer = everywhere(self._library, asked)
            elif asked.side_by_side and asked.query:
                answer = self._side_by_side(asked)
            else:
                answer = self._nearest(asked, shown)
            return replace(answer, chips=_chips(asked, answer))
        except SimileError as error:
            return SearchUpdate(status=note(str(error), problem=True))
        except Exception:
            log.exception("a search failed")
            return SearchUpdate(status=note(FAILED, problem=True))

    def link(self, asked: Searched, options: SearchOptions, shown: int = 0) -> str:
        """The address of a search, see `address.link_to`."""
        first = self._library.open(asked.collection).encoders[:1]
        plain = replace(options, encoder=None if [options.encoder] == first else options.encoder)
        filters = asked.settings.filters or {}
        return link_to(asked.query, asked.collection, plain, filters, self._uploads, shown)

    @counts_as_search
    def more(self, cards: list[Card], query: Query | None, name: str, *values: Any) -> MoreUpdate:
        """The next hits after those that are shown."""
        try:
            options = SearchOptions.of(values)
            asked = self.asked(query, name, options)
            if asked.browses:
                return self._browse_on(cards, asked, options)
            settings = asked.settings
            hits = [one for one in cards if one.metric]  # what the visitor likes is none
            following = replace(settings, offset=len(hits), k=min(settings.k, MAX_SHOWN - len(cards)))
            result = run_search(self._library, name, asked.query, following)
            cards = [*cards, *result.cards]
            return MoreUpdate(
                status=figures([*hits, *result.cards], result, settings),
                grid=grid_html(cards, query),
                cards=cards,
                more=gr.update(visible=result.found.more and len(cards) < MAX_SHOWN),
                address=said(self.link(asked, options, len(cards)), "more"),
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

    def _browse(self, asked: Searched, shown: int) -> SearchUpdate:
        """Without a query, what passes the filters."""
        found = self._library.open(asked.collection)
        hits, total = browse(found, asked.settings.filters, min(MAX_SHOWN, max(asked.settings.k, shown)))
        cards = [card(hit, found.name, pictures=self._library.pictures) for hit in hits]
        return SearchUpdate(
            status=_passing(cards, total),
            grid=grid_html(cards, asked.query, endless=True),
            cards=cards,
            credit=credit(found.credit),
            more=gr.update(visible=len(cards) < min(total, MAX_SHOWN)),
            export=gr.update(visible=bool(cards)),
            searched=asked,
        )

    def _browse_on(self, cards: list[Card], asked: Searched, options: SearchOptions) -> MoreUpdate:
        found = self._library.open(asked.collection)
        many = max(1, min(asked.settings.k, MAX_SHOWN - len(cards)))
        hits, total = browse(found, asked.settings.filters, many, len(cards))
        cards = [*cards, *(card(hit, found.name, pictures=self._library.pictures) for hit in hits)]
        return MoreUpdate(
            status=_passing(cards, total),
            grid=grid_html(cards, asked.query, endless=True),
            cards=cards,
            more=gr.update(visible=bool(hits) and len(cards) < min(total, MAX_SHOWN)),
            address=said(self.link(asked, options, len(cards)), "more"),
        )

    def _nearest(self, searched: Searched, shown: int) -> SearchUpdate:
        settings = searched.settings
        many = replace(settings, k=min(MAX_SHOWN, max(settings.k, shown)))
        result = run_search(self._library, searched.collection, searched.query, many)
        line = figures(result.cards, result, settings)
        cards = [*liked_cards(searched.query, result.collection, self._library.pictures), *result.cards]
        if not result.cards:
            line = note(NONE_SO_CLOSE if settings.min_score is not None else NOTHING)
        return SearchUpdate(
            status=line,
            closeness_view=self._closeness(searched, result),
            grid=grid_html(cards, searched.query),
            cards=cards,
            credit=credit(result.collection.credit),
            more=gr.update(visible=result.found.more),
            export=gr.update(visible=bool(result.cards)),
            searched=searched,
        )

    def _closeness(self, searched: Searched, result: SearchResult) -> Any:
        """The slider, with counts where one thing is searched from; nothing where it is not calibrated."""
        settings, query = searched.settings, searched.query
        calibration = result.collection.encoder_entry(settings.encoder).calibration
        if calibration is None or not query:
            return gr.update(visible=False)
        kept, counts = calibration.of(settings.metric), []
        scores = [match_threshold(kept, step / 100) for step in STEPS[1:]]
        if not (query.dislikes or settings.colours) and len(query.likes) + bool(query.text) == 1:
            like = examples_of(query.likes, result.collection, self._library) or [words_or_vector(query.text)]
            counts = result.collection.count_near(like[0], settings, scores)
        return gr.update(value=closeness_html(searched.closeness, counts), visible=True)

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


def _chips(asked: Searched, answer: SearchUpdate) -> str:
    return chips_html(asked.settings.filters, nothing=not answer.cards)


def _passing(cards: Sequence[Card], total: int) -> str:
    """`24 of 412 pictures`; what to do where there are none."""
    return result_line(f"{len(cards):,} of {total:,} pictures", ["typical first"]) if cards else note(NOTHING)


def _ways(settings: Settings) -> dict[str, Settings]:
    """Title of a column -> the search in it."""
    return {
        "Cosine": replace(settings, metric="cosine", exact=False),
        "Hamming": replace(settings, metric="hamming", exact=False),
        "Exact cosine": replace(settings, metric="cosine", exact=True),
    }
