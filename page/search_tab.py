"""Search: drop in a picture, and see the ones that look like it."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from page.filters import recount
from page.grid import grid
from page.hits import HitsView, hits_view
from page.links import COPY
from page.query_panel import QueryPanel, query_panel
from page.search_controls import Controls, search_controls
from page.search_handlers import HINT, Handlers
from page.shared import Shared
from page.text import note

__all__ = ["build"]

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
