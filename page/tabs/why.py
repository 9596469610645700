"""Why: a query and one of its hits side by side, with the places and bits that made them similar."""

import logging
from dataclasses import replace
from typing import Any

import gradio as gr

from page.components.cards import source_of
from page.components.heat_map_html import choice, figure, page, seen_by
from page.library import Library
from page.results import find
from page.state import Pair, Query, Searched, Shared
from page.text import note, sentence, spoken
from page.theme import script
from page.uploads import read_upload
from page.visitors import is_search
from pipeline.errors import SimileError
from pipeline.images import decode
from pipeline.search import Settings
from pipeline.search.query import cropped
from pipeline.why.reasons import find_reasons

__all__ = ["build"]

HINT = "Search first, open one of the hits, and choose Why: it is then compared here with your picture."
WORDS = "Words have no places in a picture; search with a picture to see why a hit was found."
FAILED = "The pictures could not be compared; whoever runs this page finds the reason in its log."
_QUIET: dict[str, Any] = {"api_visibility": "private"}
log = logging.getLogger("simile")


def build(shared: Shared, tab: gr.Tab) -> None:
    """One HTML component: it follows the pair that another tab sets, or takes the first hit of the query."""
    do = Handlers(shared.library)
    shown = gr.HTML(
        note(HINT),
        js_on_load=script("why.js"),
        apply_default_css=False,
        elem_id="why",
    )
    explained, now = gr.State(), gr.State()
    state = [shared.pair, explained, shared.query, shared.collection, shared.searched]
    show: dict[str, Any] = {"fn": do.show, "inputs": state, "outputs": [shown, explained, now], **_QUIET}
    gr.on([tab.select, shared.pair.change], trigger_mode="once", show_progress="minimal", **show)
    shown.click(do.choose, now, shared.pair, show_progress="hidden", **_QUIET)


class Handlers:
    """Finds out which two pictures are meant, compares them, and says so in HTML."""

    def __init__(self, library: Library) -> None:
        self._library = library

    @is_search
    def show(
        self,
        pair: Pair | None,
        before: Any,
        query: Query | None,
        name: str | None,
        searched: Searched | None = None,
    ) -> tuple[Any, Any, Any]:
        """HTML, what it follows, and the pair; one older than the query gives way to the first hit."""
        wanted = (pair, query, name, searched)
        if wanted == before:
            return gr.skip(), gr.skip(), gr.skip()
        try:
            if pair is None or (before and pair == before[0]):
                pair = self._first_hit(query, name, Searched.within(searched, name))
            if pair is None:
                return note(HINT), wanted, None
            return self._explained(pair), wanted, pair
        except SimileError as error:
            return note(str(error), problem=True), wanted, pair
        except Exception:
            log.exception("the pair cannot be explained")
            return note(FAILED, problem=True), wanted, pair

    @staticmethod
    def choose(now: Pair | None, event: gr.EventData) -> Any:
        """Another picture of the query is compared with the same hit."""
        said = event._data if isinstance(event._data, dict) else {}
        at = said.get("index")
        if now is None or not isinstance(at, int) or not 0 <= at < len(now.among):
            return gr.skip()
        return replace(now, query=now.among[at])

    def _first_hit(self, query: Query | None, name: str | None, settings: Settings) -> Pair | None:
        if query is None or not (query.sources or query.text):
            return None
        if not query.sources:
            raise SimileError(WORDS)
        _, _, cards = find(self._library, name or "", query, replace(settings, k=1, offset=0))
        if not cards:
            return None
        return Pair(query.sources[cards[0].nearest], source_of(cards[0]), settings.encoder, query.sources)

    def _explained(self, pair: Pair) -> str:
        found = self._library.open(pair.hit.collection)
        if pair.hit.point_id is None:
            raise SimileError(
                "Only a picture of the collection can be explained as a hit; choose one of them."
            )
        source = pair.query
        own = source.point_id if source.collection == found.name else None
        data = read_upload(source.picture)
        reasons = find_reasons(found, data, pair.hit.point_id, pair.encoder, own, source.box)
        hit = found.get(pair.hit.point_id)
        part = "Part of " if source.box else ""
        named = part + source.label if part else sentence(source.label or "your picture")
        figures = figure("query", named, cropped(decode(data), source.box), reasons.query_part)
        title = " · ".join(spoken(part) for part in hit.label.split(" · ")) if hit.label else "Hit"
        figures += figure("hit", title, decode(hit.thumbnail), reasons.hit_part)
        above = choice(pair) + (seen_by(pair.encoder or found.encoders[0]) if found.encoders[1:] else "")
        return page(reasons, figures, found, above)
