"""Compare: what is searched for now, through two encoders or metrics, in two columns."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from page.components.cards import Card, columns_html
from page.components.hits import hits_view
from page.components.query_panel import query_html
from page.library import Library
from page.results import FAILED, find, shared_share
from page.state import Query, Searched, Shared
from page.text import field_name, milliseconds, note, spoken
from page.visitors import is_search
from pipeline.errors import SimileError
from pipeline.search import Settings

__all__ = ["build"]

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_HITS = 24
HINT = "Search for something first; the same query is then shown here in two ways."
_METRICS = [("Cosine", "cosine"), ("Hamming", "hamming")]
log = logging.getLogger("simile")


@dataclass(frozen=True)
class _Side:
    encoder: gr.Dropdown
    metric: gr.Radio
    exact: gr.Checkbox

    @property
    def parts(self) -> list[Any]:
        return [self.encoder, self.metric, self.exact]


def build(shared: Shared, tab: gr.Tab) -> None:
    """The query, the two ways, and their columns."""
    with gr.Row(elem_classes=["sides"]):
        with gr.Column(scale=1, min_width=300, elem_classes=["side"]):
            query = gr.HTML("", elem_id="compare-query", elem_classes=["query-host"], apply_default_css=False)
            sides = [_side("Left", "cosine"), _side("Right", "hamming")]
        with gr.Column(scale=4, min_width=320, elem_classes=["wide"]):
            status = gr.HTML(note(HINT), elem_id="compare-status")
            hits = hits_view("compare")
    do = _Handlers(shared.library)
    parts = [part for side in sides for part in side.parts]
    compare: dict[str, Any] = {
        "fn": do.compare,
        "inputs": [shared.query, shared.searched, shared.collection, *parts],
        "outputs": [status, hits.grid, hits.cards, query],
        "trigger_mode": "always_last",
        **_QUIET,
    }
    tab.select(**compare)
    gr.on([part.input for part in parts], **compare)
    encoders: dict[str, Any] = {
        "fn": do.encoders,
        "inputs": shared.collection,
        "outputs": [side.encoder for side in sides],
        **_QUIET,
    }
    shared.page.load(**encoders)
    shared.collection.change(**encoders).then(**compare)
    hits.connect(shared, shared.query, votes=False)


def _side(name: str, metric: str) -> _Side:
    with gr.Group():
        encoder = gr.Dropdown([], label=f"{name}: encoder", visible=False, elem_id=f"{name.lower()}-encoder")
        distance = gr.Radio(
            _METRICS, value=metric, label=f"{name}: distance", elem_id=f"{name.lower()}-metric"
        )
        exact = gr.Checkbox(False, label="Exact", elem_id=f"{name.lower()}-exact")
    return _Side(encoder, distance, exact)


class _Handlers:
    def __init__(self, library: Library) -> None:
        self._library = library

    def encoders(self, name: str) -> tuple[Any, Any]:
        """Choices of both sides; the right one begins with the second encoder where there is one."""
        try:
            names = self._library.open(name).encoders
        except SimileError:
            names = []
        return tuple(  # type: ignore[return-value]
            gr.update(
                choices=names, value=names[min(at, len(names) - 1)] if names else None, visible=len(names) > 1
            )
            for at in (0, 1)
        )

    @is_search
    def compare(
        self, query: Query | None, searched: Searched | None, name: str, *parts: Any
    ) -> tuple[Any, ...]:
        """Status, columns, the cards of both, and the query. Filters and diversity are those of Search."""
        if not query:
            return note(HINT), "", [], ""
        try:
            common = _common(Searched.within(searched, name))
            columns = [self._column(query, name, common, side) for side in (parts[:3], parts[3:])]
        except SimileError as error:
            return note(str(error), problem=True), "", [], query_html(query, fixed=True)
        except Exception:
            log.exception("a comparison failed")
            return note(FAILED, problem=True), "", [], query_html(query, fixed=True)
        left, right = (cards for _, _, cards in columns)
        line = note(
            " · ".join([f"{shared_share(left, right)} pictures are in both columns", *_as_in_search(common)])
        )
        marked = [
            (columns[0][0], columns[0][1], _marked(left, right)),
            (columns[1][0], columns[1][1], _marked(right, left)),
        ]
        return line, columns_html(marked, votes=False), [*left, *right], query_html(query, fixed=True)

    def _column(
        self, query: Query, name: str, common: Settings, parts: Sequence[Any]
    ) -> tuple[str, str, list[Card]]:
        encoder, metric, exact = parts
        settings = replace(common, metric=metric, encoder=encoder or None, exact=bool(exact))
        found, answer, cards = find(self._library, name, query, settings)
        words = [encoder] if len(found.encoders) > 1 and encoder else []
        words += ["Hamming" if metric == "hamming" else "Cosine", *(["exact"] if exact else [])]
        return " · ".join(words), " · ".join(milliseconds(answer.times)), cards


def _common(settings: Settings) -> Settings:
    """What both columns take over from Search; all matches would be columns of two lengths."""
    return replace(settings, k=_HITS, offset=0, matches_only=False)


def _as_in_search(common: Settings) -> list[str]:
    """What narrows both columns: `Style: Cubism, Realism`."""
    words = [
        f"{field_name(field)}: {', '.join(map(spoken, values))}"
        for field, values in (common.filters or {}).items()
    ]
    if common.diversity:
        words.append(f"diversity {common.diversity:g}")
    if common.fold:
        words.append("near-copies folded")
    return [f"as in Search: {'; '.join(words)}"] if words else []


def _marked(cards: Sequence[Card], others: Sequence[Card]) -> list[Card]:
    """Cards that the other column lacks say so."""
    there = {other.id for other in others}
    return [shown if shown.id in there else replace(shown, reason="only here") for shown in cards]
