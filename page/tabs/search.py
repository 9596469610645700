"""Search: drop in a picture, and see the ones that look like it."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from page.components.cards import grid
from page.components.filter_boxes import filter_boxes, recount
from page.components.hits import HitsView, hits_view
from page.components.query_panel import QueryPanel, query_panel
from page.links import COPY
from page.results import MAX_HITS
from page.state import Shared
from page.tabs.search_handlers import HINT, Handlers
from page.text import note

__all__ = ["Controls", "build", "combine_radio", "diversity_slider", "search_controls"]

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True)
class Results:
    """What a visitor gets."""

    status: gr.HTML
    hits: HitsView
    more: gr.Button
    export: gr.Button
    files: gr.File
    credit: gr.HTML
    examples: gr.HTML
    example_cards: gr.State
    copy: gr.Button
    address: gr.Textbox


def build(shared: Shared, tab: gr.Tab) -> None:
    """The query and its settings on the left, hits on the right."""
    with gr.Row(elem_classes=["sides"]):
        with gr.Column(scale=1, min_width=300, elem_classes=["side"]):
            panel = query_panel(shared.query, "search")
            controls = search_controls()
        with gr.Column(scale=4, min_width=320, elem_classes=["wide"]):
            results = _results()
    _connect(shared, Handlers(shared.library), panel, controls, results)


def _results() -> Results:
    with gr.Row(elem_classes=["line"]):
        status = gr.HTML(note(HINT), elem_id="status")
        copy = gr.Button("Copy link", size="sm", elem_id="copy-link", min_width=90, scale=0)
        export = gr.Button("Export", size="sm", visible=False, elem_id="export", min_width=90, scale=0)
    files = gr.File(
        visible=False,
        interactive=False,
        file_count="multiple",
        label="Results to take along",
        elem_id="files",
    )
    examples = grid("examples", classes="examples")
    hits = hits_view("search")
    more = gr.Button("Show more", visible=False, elem_id="more")
    credit, address = gr.HTML(elem_id="credit"), gr.Textbox(visible="hidden")
    return Results(status, hits, more, export, files, credit, examples, gr.State([]), copy, address)


@dataclass(frozen=True)
class Controls:
    """What a visitor sets. `knobs` go to the handlers in this order, filters last."""

    metric: gr.Radio
    encoder: gr.Dropdown
    mode: gr.Radio
    k: gr.Slider
    exact: gr.Checkbox
    fold: gr.Checkbox
    diversity: gr.Slider
    combine: gr.Radio
    filters: list[gr.Dropdown]
    filter_group: gr.Accordion
    more_filters: gr.Accordion
    beside: gr.Checkbox
    text: gr.Textbox

    @property
    def knobs(self) -> list[Any]:
        """Inputs of every search."""
        plain = [self.metric, self.encoder, self.mode, self.k, self.exact, self.fold, self.diversity]
        return [*plain, self.combine, self.beside, *self.filters]


def _connect(shared: Shared, do: Handlers, panel: QueryPanel, controls: Controls, results: Results) -> None:
    """A search follows everything that changes the query, the collection or a setting."""
    inputs = [shared.query, shared.collection, *controls.knobs]
    search: dict[str, Any] = {
        "fn": do.find,
        "inputs": inputs,
        "outputs": [
            results.status,
            results.hits.grid,
            results.hits.cards,
            results.credit,
            results.more,
            results.export,
            results.files,
            results.examples,
            shared.searched,
        ],
        "api_visibility": "private",
        "show_progress": "minimal",
        "show_progress_on": results.status,
    }
    panel.connect(results.status)
    shared.query.change(trigger_mode="always_last", **search)
    shared.query.change(lambda query: query.text if query else "", shared.query, controls.text, **_QUIET)
    shared.request.change(
        # put away: it may be asked for again
        lambda asked: (asked, None) if asked else (gr.skip(), gr.skip()),
        shared.request,
        [shared.query, shared.request],
        **_QUIET,
    )
    plain: list[Any] = [controls.metric, controls.encoder, controls.mode, controls.exact, controls.fold]
    knobs = [knob.input for knob in [*plain, controls.combine, controls.beside]]
    gr.on([*knobs, controls.k.release, controls.diversity.release], trigger_mode="always_last", **search)
    for place, box in enumerate(controls.filters):
        box.input(
            recount(shared.library, place), [shared.collection, *controls.filters], controls.filters, **_QUIET
        )
        box.input(trigger_mode="always_last", **search)
    _connect_collection(shared, do, controls, results, search)
    _connect_results(shared, do, controls, results, inputs)


def _connect_collection(
    shared: Shared, do: Handlers, controls: Controls, results: Results, search: dict[str, Any]
) -> None:
    """A collection brings its own encoders, filters and examples."""
    link = gr.State()
    show: dict[str, Any] = {
        "fn": do.show_collection,
        "inputs": [shared.collection, link],
        "outputs": [
            controls.encoder,
            controls.text,
            controls.mode,
            *controls.filters,
            controls.filter_group,
            controls.more_filters,
            results.examples,
            results.example_cards,
            controls.metric,
            shared.query,
            link,
        ],
        **_QUIET,
    }
    shared.page.load(do.restore, None, [shared.collection, link], **_QUIET).then(**show)
    again = {"fn": do.find_again, "inputs": [shared.searched, *search["inputs"]]}
    shared.collection.change(**show).then(**search | again)
    results.examples.click(do.take_example, results.example_cards, shared.query, **_QUIET)
    controls.text.submit(do.take_text, [controls.text, shared.query], shared.query, **_QUIET)


def _connect_results(
    shared: Shared, do: Handlers, controls: Controls, results: Results, inputs: list[Any]
) -> None:
    hits = results.hits
    hits.connect(shared, shared.query)
    asked = [shared.query, shared.collection, controls.metric, *controls.filters]
    results.copy.click(do.link, asked, results.address, **_QUIET).success(
        None, results.address, None, js=COPY, **_QUIET
    )
    results.more.click(
        do.more,
        [hits.cards, *inputs],
        [results.status, hits.grid, hits.cards, results.more],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=results.more,
    )
    results.export.click(do.export, [hits.cards, shared.query], [results.files, results.status], **_QUIET)


def combine_radio(label: str, elem_id: str) -> gr.Radio:
    """How several likes make one query."""
    choices = [("Like any of them", "any"), ("Like their average", "average")]
    return gr.Radio(choices, value="any", label=label, elem_id=elem_id)


def diversity_slider(info: str, elem_id: str) -> gr.Slider:
    """0: the nearest; towards 1: less like one another (MMR)."""
    return gr.Slider(0, 0.9, value=0, step=0.1, label="Diversity", info=info, elem_id=elem_id)


def search_controls() -> Controls:
    """The controls, in the order of the page."""
    text = gr.Textbox(
        label="Words",
        placeholder="a boat at dusk",
        visible=False,
        elem_id="words",
        submit_btn=True,
        max_length=300,
    )
    metric = gr.Radio(
        [("Cosine", "cosine"), ("Hamming", "hamming")], value="cosine", label="Distance", elem_id="metric"
    )
    with gr.Accordion("Filters", open=False, visible=False, elem_id="filters") as filter_group:
        filters, more_filters = filter_boxes()
    with gr.Accordion("More options", open=False, elem_id="options"):
        mode = gr.Radio(
            [("The nearest", "nearest"), ("All matches", "matches")],
            value="nearest",
            label="Show",
            elem_id="mode",
        )
        k = gr.Slider(1, MAX_HITS, value=24, step=1, label="How many at a time", elem_id="k")
        diversity = diversity_slider("More: hits less like one another", "diversity")
        combine = combine_radio("Several pictures", "combine")
        fold = gr.Checkbox(
            False, label="Fold near-copies", info="Of nearly the same picture, show one", elem_id="fold"
        )
        exact = gr.Checkbox(
            False, label="Exact", info="Compare with every picture instead of the index", elem_id="exact"
        )
        beside = gr.Checkbox(
            False,
            label="Side by side",
            info="Cosine, Hamming and exact in columns, with what they agree on",
            elem_id="beside",
        )
        encoder = gr.Dropdown([], label="Encoder", visible=False, elem_id="encoder")
    return Controls(
        metric,
        encoder,
        mode,
        k,
        exact,
        fold,
        diversity,
        combine,
        filters,
        filter_group,
        more_filters,
        beside,
        text,
    )
