"""Why: a query and one of its hits side by side, with the places and bits that made them similar."""

import logging
from dataclasses import replace
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import query_picture
from page.components.explanation_html import choice, explanation_html, figure, seen_by
from page.query_bytes import bytes_of
from page.rate_limit import counts_as_search
from page.run_search import run_search
from page.shared_state import Pair, Query, Searched, Shared
from page.theme import script
from page.wording import note, readable, sentence
from pipeline.errors import SimileError
from pipeline.images import decode
from pipeline.search import Settings
from pipeline.search.query import cropped
from pipeline.why.reasons import find_reasons

__all__ = ["WhyHandlers", "build"]

HINT = "Search first, open one of the hits, and choose Why: it is then compared here with your picture."
WORDS = "Words cannot be compared place by place; search with a picture to see why a hit was found."
FAILED = "The pictures could not be compared; whoever runs this page finds the reason in its log."
_SHOWN_SIDE = 1024  # pixels: a part of the picture is still sharp where it is shown
_QUIET: dict[str, Any] = {"api_visibility": "private"}
log = logging.getLogger("simile")


def build(shared: Shared, tab: gr.Tab) -> None:
    """One HTML component. It shows the pair that another tab has set, else the first hit of the query."""
    do = WhyHandlers(shared.library)
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


class WhyHandlers:
    """Determines which two pictures are meant, compares them, and shows the comparison as HTML."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    @counts_as_search
    def show(
        self,
        pair: Pair | None,
        before: Any,
        query: Query | None,
        name: str | None,
        searched: Searched | None = None,
    ) -> tuple[Any, Any, Any]:
        """(HTML, what it was made from, the pair that it shows).

        A pair that was already shown before the query changed is replaced by the query's first hit.
        """
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
        """The pair with another picture of the query and the same hit."""
        said = event._data if isinstance(event._data, dict) else {}
        at = said.get("index")
        if now is None or not isinstance(at, int) or not 0 <= at < len(now.among):
            return gr.skip()
        return replace(now, query=now.among[at])

    def _first_hit(self, query: Query | None, name: str | None, settings: Settings) -> Pair | None:
        if query is None or not (query.likes or query.text):
            return None
        if not query.likes:
            raise SimileError(WORDS)
        first = replace(settings, k=1, offset=0)
        cards = run_search(self._library, name or "", query, first).cards
        if not cards:
            return None
        return Pair(query.likes[cards[0].nearest], query_picture(cards[0]), settings.encoder, query.likes)

    def _explained(self, pair: Pair) -> str:
        found = self._library.open(pair.hit.collection)
        if pair.hit.point_id is None:
            raise SimileError(
                "Only a picture of the collection can be explained as a hit; choose one of them."
            )
        asked = pair.query
        own = asked.point_id if asked.collection == found.name else None
        data = bytes_of(asked, self._library)
        reasons = find_reasons(found, data, pair.hit.point_id, pair.encoder, own, asked.box)
        hit = found.get(pair.hit.point_id)
        named = f"Part of {asked.label}" if asked.box else sentence(asked.label or "your picture")
        figures = figure(
            "query", named, cropped(decode(data, min_side=_SHOWN_SIDE), asked.box), reasons.query_part
        )
        title = " · ".join(readable(part) for part in hit.label.split(" · ")) if hit.label else "Hit"
        figures += figure("hit", title, decode(hit.thumbnail), reasons.hit_part)
        above = choice(pair) + (seen_by(pair.encoder or found.encoders[0]) if found.encoders[1:] else "")
        return explanation_html(reasons, figures, found, above)
