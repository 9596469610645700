"""Compare: what is searched for now, in two columns that differ in one thing, which is named."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import Card, columns_html
from page.components.event_wiring import QUIET, named_inputs, named_outputs
from page.components.hits import hits_view
from page.components.query_panel import query_html
from page.rate_limit import counts_as_search
from page.run_search import FAILED, run_search, shared_share
from page.shared_state import Query, Searched, Shared
from page.wording import field_name, milliseconds, note, result_line, value_words
from pipeline.errors import SimileError
from pipeline.search import Collection, Settings

__all__ = ["HINT", "CompareHandlers", "CompareUpdate", "Contrast", "two_ways"]

HINT = "Search for something first; the same query is then shown here in two ways."
_HITS = 24
_METRIC, _ENCODER = ("Distance", "metric"), ("Encoder", "encoder")
_EXACT = ("Index or every picture", "exact")
log = logging.getLogger("simile")


@dataclass(frozen=True)
class Contrast:
    """What the columns differ in. Each field is the value of the control of that name.

    Attributes:
        left, right: encoders, where those differ; the first two of the collection where none are named.
    """

    differs: Literal["metric", "encoder", "exact"] = "metric"
    left: str | None = None
    right: str | None = None


@dataclass(frozen=True)
class CompareUpdate:
    """What a comparison changes."""

    status: Any
    grid: str = ""
    cards: list[Card] = field(default_factory=list)
    query: str = ""


def build(shared: Shared, tab: gr.Tab) -> None:
    """The query, what differs, and the two columns."""
    with gr.Row(elem_classes=["sides"]):
        with gr.Column(scale=1, min_width=300, elem_classes=["side"]):
            query = gr.HTML("", elem_id="compare-query", elem_classes=["query-host"], apply_default_css=False)
            controls: dict[str, Any] = {
                "differs": gr.Radio(
                    [_METRIC, _ENCODER, _EXACT], value="metric", label="What differs", elem_id="differs"
                ),
                "left": gr.Dropdown([], label="Left encoder", visible=False, elem_id="left-encoder"),
                "right": gr.Dropdown([], label="Right encoder", visible=False, elem_id="right-encoder"),
            }
        with gr.Column(scale=4, min_width=320, elem_classes=["wide"]):
            status = gr.HTML(note(HINT), elem_id="compare-status")
            hits = hits_view("compare")
    do = CompareHandlers(shared.library)
    contrast = named_inputs(Contrast, controls)
    shown = {"status": status, "grid": hits.grid, "cards": hits.cards, "query": query}
    compare: dict[str, Any] = {
        **named_outputs(do.compare, shown),
        "inputs": [shared.query, shared.searched, shared.collection, *contrast],
        "trigger_mode": "always_last",
        **QUIET,
    }
    tab.select(**compare)
    of_collection: dict[str, Any] = {
        "fn": do.choices,
        "inputs": [shared.collection, controls["differs"]],
        "outputs": contrast,
        **QUIET,
    }
    controls["differs"].input(**of_collection).then(**compare)
    gr.on([controls["left"].input, controls["right"].input], **compare)
    shared.page.load(**of_collection)
    shared.collection.change(**of_collection).then(**compare)
    hits.connect(shared, shared.query, votes=False)


class CompareHandlers:
    """Over the collections of one library."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    def choices(self, name: str, differs: str) -> tuple[Any, Any, Any]:
        """What may differ in this collection, and its encoders where there are more than the two to show."""
        try:
            names = self._library.open(name).encoders
        except SimileError:
            names = []
        ways = [_METRIC, *([_ENCODER] if len(names) > 1 else []), _EXACT]
        if differs not in [value for _, value in ways]:
            differs = "metric"
        many = differs == "encoder" and len(names) > 2
        left, right = [*names[:2], None, None][:2]
        return (
            gr.update(choices=ways, value=differs),
            gr.update(choices=names, value=left, visible=many),
            gr.update(choices=names, value=right, visible=many),
        )

    @counts_as_search
    def compare(
        self, query: Query | None, searched: Searched | None, name: str, *values: Any
    ) -> CompareUpdate:
        """Searches in both ways.

        Args:
            values: those of `Contrast`; what does not differ is as in the Search tab.
        """
        if not query:
            return CompareUpdate(note(HINT))
        shown_query = query_html(query, fixed=True)
        try:
            found = self._library.open(name)
            common = _common(Searched.within(searched, name))
            contrast = Contrast(*values)
            columns = [self._column(query, name, *way) for way in two_ways(contrast, common, found.encoders)]
        except SimileError as error:
            return CompareUpdate(note(str(error), problem=True), query=shown_query)
        except Exception:
            log.exception("a comparison failed")
            return CompareUpdate(note(FAILED, problem=True), query=shown_query)
        left, right = columns
        said = f"{_only(contrast)}; {shared_share(left.cards, right.cards)} pictures are in both columns"
        marked = [_marked(left, right), _marked(right, left)]
        return CompareUpdate(
            status=result_line(said, [*_alike(contrast, common, found), *_as_in_search(common)]),
            grid=columns_html([(one.title, one.times, one.cards) for one in marked], votes=False),
            cards=[*left.cards, *right.cards],
            query=shown_query,
        )

    def _column(self, query: Query, name: str, title: str, way: Settings) -> "_Column":
        result = run_search(self._library, name, query, way)
        return _Column(title, " · ".join(milliseconds(result.found.times)), result.cards)


@dataclass(frozen=True)
class _Column:
    title: str
    times: str
    cards: list[Card]


def two_ways(contrast: Contrast, common: Settings, encoders: Sequence[str]) -> list[tuple[str, Settings]]:
    """Title and search of the left and of the right column; all else is `common`.

    Raises:
        SimileError: the collection has only one encoder, and encoders shall differ.
    """
    if contrast.differs == "metric":
        return [("Cosine", replace(common, metric="cosine")), ("Hamming", replace(common, metric="hamming"))]
    if contrast.differs == "exact":
        return [("Index", replace(common, exact=False)), ("Every picture", replace(common, exact=True))]
    if len(encoders) < 2:
        raise SimileError("This collection has only one encoder; compare something else.")
    left, right = contrast.left or encoders[0], contrast.right or encoders[1]
    return [(left, replace(common, encoder=left)), (right, replace(common, encoder=right))]


def _only(contrast: Contrast) -> str:
    """The one difference, in words."""
    return {
        "metric": "Only the distance differs",
        "encoder": "Only the encoder differs",
        "exact": "Only the way of searching differs",
    }[contrast.differs]


def _alike(contrast: Contrast, common: Settings, found: Collection) -> list[str]:
    """What both columns have in common."""
    words = []
    if contrast.differs != "metric":
        words.append("Hamming" if common.metric == "hamming" else "cosine")
    if contrast.differs != "encoder":
        words.append(common.encoder or found.encoders[0])
    if contrast.differs != "exact":
        words.append("exact" if common.exact else "approximate")
    return [f"both: {', '.join(words)}"]


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
