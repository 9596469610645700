"""What the Search tab answers: each handler takes plain values and returns what the components show."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from page.components.cards import Card, action_of, card, columns_html, grid_html, source_of
from page.components.filter_boxes import MAX_FILTERS, boxes_of, chosen_filters, more_filters
from page.library import Library
from page.links import Link, link_to, read_link
from page.results import FAILED, as_csv, as_json, check, contact_sheet, figures, find, shared_share
from page.state import Query, Searched
from page.text import credit, milliseconds, note
from page.visitors import is_search
from pipeline.errors import SimileError
from pipeline.search import Collection, Settings

__all__ = ["HINT", "MAX_SHOWN", "Handlers"]

HINT = "Drop in a picture, or start from one of the examples."
NOTHING = "Nothing here passes these filters; take one away."
NO_MATCH = "No picture here is near enough to count as a match; show the nearest instead."
_EXAMPLES = 30
MAX_SHOWN = 600  # cards that a visitor may gather by asking for more

log = logging.getLogger("simile")


class Handlers:
    """Over the collections of one library."""

    def __init__(self, library: Library) -> None:
        self._library = library

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
        """An address that brings this search back, and a word on what it leaves out."""
        try:
            link = link_to(query, name, metric, chosen_filters(self._library.open(name), chosen))
        except SimileError as error:
            gr.Warning(escape(str(error)))
            return ""
        left_out = bool(query) and "from=" not in link
        own = " Your own pictures and parts of pictures are not in it." if left_out else ""
        gr.Info(f"The page's address is now a link to this search, and copied.{own}")
        return link

    def show_collection(self, name: str, link: Link | None = None) -> tuple[Any, ...]:
        """Encoders, words, modes, filters and examples, in the order of `search_tab._connect_collection`;
        then what a link into this collection asks for. Going to another collection ends the link.
        """
        if link and link.collection not in (name, None):
            link = None
        asked = (
            link.metric if link and link.metric else gr.skip(),
            link.query if link and link.query else gr.skip(),
            link,
        )
        found = None
        try:
            found = self._library.open(name)
            boxes, encoders = boxes_of(found, link.filters if link else None), found.encoders
            cards = [card(hit, found.name) for hit in found.examples(_EXAMPLES)]
            entries = found.manifest.encoders
        except Exception as error:
            if not isinstance(error, SimileError):
                log.exception("collection %r cannot be shown", name)
            boxes, encoders, cards, entries = [gr.update(visible=False)] * MAX_FILTERS, [], [], ()
        encoder = gr.update(
            choices=encoders, value=encoders[0] if encoders else None, visible=len(encoders) > 1
        )
        words = gr.update(visible=any(entry.text for entry in entries))
        matches = [("All matches", "matches")] if any(entry.calibration for entry in entries) else []
        mode = gr.update(
            choices=[("The nearest", "nearest"), *matches], value="nearest", visible=bool(matches)
        )
        group = gr.update(visible=any(box.get("visible") for box in boxes))
        return (
            encoder,
            words,
            mode,
            *boxes,
            group,
            more_filters(found),
            grid_html(cards, votes=False, caption=False),
            cards,
            *asked,
        )

    def take_example(self, cards: list[Card], event: gr.EventData) -> Any:
        """The example that was clicked becomes the query."""
        done = action_of(event, cards)
        return Query((source_of(cards[done[1]]),)) if done else gr.skip()

    def take_text(self, text: str, query: Query | None) -> Query:
        """Words join the pictures of the query."""
        return replace(query or Query(), text=(text or "").strip()[:300])

    @is_search
    def find(self, query: Query | None, name: str, *knobs: Any) -> tuple[Any, ...]:
        """Status, grid, cards, credit; whether more, an export, files and examples are offered; and how it
        was searched."""
        off = gr.update(visible=False)
        if not query:
            return note(HINT), "", [], "", off, off, off, gr.update(visible=True), None
        try:
            found = self._library.open(name)
            settings, beside = _settings(found, knobs)
            how = Searched(found.name, settings, query, beside)
            if beside:
                shown = self._side_by_side(query, name, settings)
                return *shown, credit(found.credit), off, off, off, off, how
            found, answer, cards = find(self._library, name, query, settings)
            line = note(figures(cards, found, answer, settings))
            if not cards:
                line = note(NO_MATCH if settings.matches_only else NOTHING)
            on = gr.update(visible=bool(cards))
            html = grid_html(cards, query, ordered=not settings.diversity)
            return line, html, cards, credit(found.credit), gr.update(visible=answer.more), on, off, off, how
        except SimileError as error:
            line = note(str(error), problem=True)
        except Exception:
            log.exception("a search failed")
            line = note(FAILED, problem=True)
        return line, "", [], "", off, off, off, off, None

    @is_search
    def find_again(
        self, searched: Searched | None, query: Query | None, name: str, *knobs: Any
    ) -> tuple[Any, ...]:
        """`find`, after a change of collection. It may come after the visitor's own search there, of which it
        takes nothing away: neither the hits nor those that were added to them.
        """
        nothing = (gr.skip(),) * 9
        if not query:
            return nothing
        answer = self.find(query, name, *knobs)
        return nothing if searched and answer[-1] == searched else answer

    def _side_by_side(self, query: Query, name: str, settings: Settings) -> tuple[str, str, list[Card]]:
        """Cosine and Hamming through the index, each against its exact ranking's first hits."""
        columns, every = [], []
        ways = [("Cosine", "cosine", False), ("Hamming", "hamming", False), ("Exact cosine", "cosine", True)]
        for title, metric, exact in ways:
            way = replace(settings, metric=metric, exact=exact)  # type: ignore[arg-type]
            found, answer, cards = find(self._library, name, query, way)
            columns.append((title, " · ".join(milliseconds({"search_ms": answer.search_ms})), cards))
            every += cards
        exact_cards = columns[2][2]
        columns[:2] = [
            (title, f"{line} · {shared_share(cards, exact_cards)} as exact cosine", cards)
            for title, line, cards in columns[:2]
        ]
        agreed = shared_share(columns[0][2], columns[1][2])
        line = note(f"{found.count:,} pictures three ways · cosine and Hamming share {agreed}")
        return line, columns_html(columns, query), every

    @is_search
    def more(self, cards: list[Card], query: Query | None, name: str, *knobs: Any) -> tuple[Any, ...]:
        """The next hits after those that are shown."""
        if not query:
            return (gr.skip(),) * 4
        try:
            settings, _ = _settings(self._library.open(name), knobs)
            following = replace(settings, offset=len(cards), k=min(settings.k, MAX_SHOWN - len(cards)))
            found, answer, fresh = find(self._library, name, query, following)
            cards = [*cards, *fresh]
            go_on = gr.update(visible=answer.more and len(cards) < MAX_SHOWN)
            html = grid_html(cards, query, ordered=not settings.diversity)
            return note(figures(cards, found, answer, settings)), html, cards, go_on
        except SimileError as error:
            return note(str(error), problem=True), gr.skip(), gr.skip(), gr.skip()
        except Exception:
            log.exception("more hits cannot be shown")
            return note(FAILED, problem=True), gr.skip(), gr.skip(), gr.skip()

    @is_search
    def export(self, cards: list[Card], query: Query | None) -> tuple[Any, Any]:
        """A table, JSON and a contact sheet of what is shown, to be downloaded."""
        try:
            return gr.update(value=_files(self._library, cards), visible=True), gr.skip()
        except SimileError as error:
            return gr.skip(), note(str(error), problem=True)
        except Exception:
            log.exception("results cannot be exported")
            return gr.skip(), note("The results could not be exported.", problem=True)


def _settings(found: Collection, knobs: Sequence[Any]) -> tuple[Settings, bool]:
    """Settings from the knobs of `search_controls.Controls`, and whether columns were asked for."""
    metric, encoder, mode, k, exact, fold, diversity, combine, beside, *chosen = knobs
    check(metric, k)
    settings = Settings(
        metric,
        int(k),
        filters=chosen_filters(found, chosen) or None,
        exact=bool(exact),
        encoder=encoder or None,
        combine=combine,
        diversity=float(diversity or 0),
        matches_only=mode == "matches",
        fold=bool(fold),
    )
    return settings, bool(beside)


def _files(library: Library, cards: Sequence[Card]) -> list[str]:
    if not cards:
        raise SimileError("there is nothing to export yet; search for something first")
    found = library.open(cards[0].collection)
    hits = {hit.id: hit for hit in found.get_many([shown.id for shown in cards])}
    kept = [shown for shown in cards if shown.id in hits]
    rows = [hits[shown.id] for shown in kept]
    ranks = [
        {"rank": i, "score": round(c.score, 6), "distance": c.distance, "unusual": c.unusual, "weak": c.weak}
        for i, c in enumerate(kept, 1)
    ]
    about = {"collection": found.name, "version": found.version, "metric": kept[0].metric if kept else None}
    captions = [f"{shown.closeness}  {shown.label}" for shown in kept]
    made = {
        f"{found.name}.csv": as_csv(rows, ranks).encode("utf-8-sig"),  # so that Excel sees UTF-8
        f"{found.name}.json": as_json(rows, ranks, about).encode(),
        f"{found.name}.jpg": contact_sheet(rows, captions),
    }
    return [save_bytes_to_cache(data, name, get_upload_folder()) for name, data in made.items()]
