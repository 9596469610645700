"""Compare: what is searched for now, through two encoders or metrics, in two columns."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import Card, columns_html
from page.components.event_wiring import QUIET, named_inputs, named_outputs
from page.components.hits import hits_view
from page.components.query_panel import query_html
from page.rate_limit import counts_as_search
from page.run_search import FAILED, run_search, shared_share
from page.shared_state import Query, Searched, Shared
from page.wording import field_name, milliseconds, note, value_words
from pipeline.errors import SimileError
from pipeline.search import Metric, Settings

__all__ = ["HINT", "CompareHandlers", "CompareUpdate", "Way", "build"]

HINT = "Search for something first; the same query is then shown here in two ways."
_HITS = 24
_METRICS = [("Cosine", "cosine"), ("Hamming", "hamming")]
log = logging.getLogger("simile")


@dataclass(frozen=True)
class Way:
    """One of the two ways to search. Each field is the value of the control of that name."""

    encoder: str | None = None
    metric: Metric = "cosine"
    exact: bool = False

    @classmethod
    def two_of(cls, values: Sequence[Any]) -> list["Way"]:
        """Left and right, from the values of the controls of both."""
        half = len(values) // 2
        return [cls(*values[:half]), cls(*values[half:])]


@dataclass(frozen=True)
class CompareUpdate:
    """What a comparison changes."""

    status: Any
    grid: str = ""
    cards: list[Card] = field(default_factory=list)
    query: str = ""


def build(shared: Shared, tab: gr.Tab) -> None:
    """The query, the two ways, and their columns."""
    with gr.Row(elem_classes=["sides"]):
        with gr.Column(scale=1, min_width=300, elem_classes=["side"]):
            query = gr.HTML("", elem_id="compare-query", elem_classes=["query-host"], apply_default_css=False)
            sides = [_controls("Left", "cosine"), _controls("Right", "hamming")]
        with gr.Column(scale=4, min_width=320, elem_classes=["wide"]):
            status = gr.HTML(note(HINT), elem_id="compare-status")
            hits = hits_view("compare")
    do = CompareHandlers(shared.library)
    controls = [control for side in sides for control in named_inputs(Way, side)]
    shown = {"status": status, "grid": hits.grid, "cards": hits.cards, "query": query}
    compare: dict[str, Any] = {
        **named_outputs(do.compare, shown),
        "inputs": [shared.query, shared.searched, shared.collection, *controls],
        "trigger_mode": "always_last",
        **QUIET,
    }
    tab.select(**compare)
    gr.on([control.input for control in controls], **compare)
    encoders: dict[str, Any] = {
        "fn": do.encoders,
        "inputs": shared.collection,
        "outputs": [side["encoder"] for side in sides],
        **QUIET,
    }
    shared.page.load(**encoders)
    shared.collection.change(**encoders).then(**compare)
    hits.connect(shared, shared.query, votes=False)


def _controls(name: str, metric: Metric) -> dict[str, Any]:
    """The controls of one way, by the fields of `Way`."""
    side = name.lower()
    with gr.Group():
        return {
            "encoder": gr.Dropdown([], label=f"{name}: encoder", visible=False, elem_id=f"{side}-encoder"),
            "metric": gr.Radio(_METRICS, value=metric, label=f"{name}: distance", elem_id=f"{side}-metric"),
            "exact": gr.Checkbox(False, label="Exact", elem_id=f"{side}-exact"),
        }


class CompareHandlers:
    """Over the collections of one library."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    def encoders(self, name: str) -> tuple[Any, Any]:
        """Choices of both sides; the right one begins with the second encoder where there is one."""
        try:
            names = self._library.open(name).encoders
        except SimileError:
            names = []
        left, right = (
            gr.update(
                choices=names, value=names[min(at, len(names) - 1)] if names else None, visible=len(names) > 1
            )
            for at in (0, 1)
        )
        return left, right

    @counts_as_search
    def compare(
        self, query: Query | None, searched: Searched | None, name: str, *values: Any
    ) -> CompareUpdate:
        """Searches in both ways, which `values` hold; filters and diversity are those of the Search tab."""
        if not query:
            return CompareUpdate(note(HINT))
        shown_query = query_html(query, fixed=True)
        try:
            common = _common(Searched.within(searched, name))
            left, right = (self._column(query, name, common, way) for way in Way.two_of(values))
        except SimileError as error:
            return CompareUpdate(note(str(error), problem=True), query=shown_query)
        except Exception:
            log.exception("a comparison failed")
            return CompareUpdate(note(FAILED, problem=True), query=shown_query)
        shared = f"{shared_share(left.cards, right.cards)} pictures are in both columns"
        columns = [_marked(left, right), _marked(right, left)]
        return CompareUpdate(
            status=note(" · ".join([shared, *_as_in_search(common)])),
            grid=columns_html([(one.title, one.times, one.cards) for one in columns], votes=False),
            cards=[*left.cards, *right.cards],
            query=shown_query,
        )

    def _column(self, query: Query, name: str, common: Settings, way: Way) -> "_Column":
        settings = replace(common, metric=way.metric, encoder=way.encoder or None, exact=bool(way.exact))
        result = run_search(self._library, name, query, settings)
        words = [way.encoder] if len(result.collection.encoders) > 1 and way.encoder else []
        words += ["Hamming" if way.metric == "hamming" else "Cosine", *(["exact"] if way.exact else [])]
        return _Column(" · ".join(words), " · ".join(milliseconds(result.found.times)), result.cards)


@dataclass(frozen=True)
class _Column:
    title: str
    times: str
    cards: list[Card]


def _common(settings: Settings) -> Settings:
    """What both columns take over from Search; not closeness, by which they would differ in length."""
    return replace(settings, k=_HITS, offset=0, min_score=None)


def _as_in_search(common: Settings) -> list[str]:
    """What narrows both columns: `Style: Cubism, Realism`."""
    words = [
        f"{field_name(field)}: {value_words(wanted)}" for field, wanted in (common.filters or {}).items()
    ]
    if common.diversity:
        words.append(f"diversity {common.diversity:g}")
    if common.fold:
        words.append("near-duplicates hidden")
    return [f"as in Search: {'; '.join(words)}"] if words else []


def _marked(column: _Column, other: _Column) -> _Column:
    """The column, with a remark on each card that the other one lacks."""
    there = {shown.id for shown in other.cards}
    cards = [shown if shown.id in there else replace(shown, reason="only here") for shown in column.cards]
    return replace(column, cards=cards)
