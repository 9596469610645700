"""Search: drop in a picture, and see the ones that look like it."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from page.components.cards import grid
from page.components.event_wiring import QUIET, named_outputs
from page.components.filter_boxes import recount
from page.components.hits import HitsView, hits_view
from page.components.query_panel import QueryPanel, query_panel
from page.components.search_controls import SearchControls, search_controls
from page.deep_links import COPY
from page.shared_state import Shared
from page.tabs.search_handlers import HINT, SearchHandlers
from page.wording import note

__all__ = ["build"]


@dataclass(frozen=True)
class _Results:
    """The components that show what was found."""

    status: gr.HTML
    copy: gr.Button
    export: gr.Button
    files: gr.File
    examples: gr.HTML
    example_cards: gr.State
    hits: HitsView
    more: gr.Button
    credit: gr.HTML
    address: gr.Textbox


def build(shared: Shared, tab: gr.Tab) -> None:
    """The query and its settings on the left, hits on the right."""
    with gr.Row(elem_classes=["sides"]):
        with gr.Column(scale=1, min_width=300, elem_classes=["side"]):
            panel = query_panel(shared.query, "search")
            controls = search_controls()
        with gr.Column(scale=4, min_width=320, elem_classes=["wide"]):
            results = _results()
    _connect(shared, SearchHandlers(shared.library), panel, controls, results)


def _results() -> _Results:
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
    return _Results(
        status=status,
        copy=copy,
        export=export,
        files=files,
        examples=grid("examples", classes="examples"),
        example_cards=gr.State([]),
        hits=hits_view("search"),
        more=gr.Button("Show more", visible=False, elem_id="more"),
        credit=gr.HTML(elem_id="credit"),
        address=gr.Textbox(visible="hidden"),
    )


def _connect(
    shared: Shared, do: SearchHandlers, panel: QueryPanel, controls: SearchControls, results: _Results
) -> None:
    """A search follows everything that changes the query, the collection or a setting."""
    shown = {
        "status": results.status,
        "grid": results.hits.grid,
        "cards": results.hits.cards,
        "credit": results.credit,
        "more": results.more,
        "export": results.export,
        "files": results.files,
        "examples": results.examples,
        "searched": shared.searched,
    }
    inputs = [shared.query, shared.collection, *controls.inputs]
    search: dict[str, Any] = {
        **named_outputs(do.find, shown),
        "inputs": inputs,
        "api_visibility": "private",
        "show_progress": "minimal",
        "show_progress_on": results.status,
    }
    again = {
        **search,
        **named_outputs(do.find_again, shown),
        "inputs": [shared.searched, *inputs],
    }
    panel.connect(results.status)
    shared.query.change(trigger_mode="always_last", **search)
    shared.query.change(lambda query: query.text if query else "", shared.query, controls.text, **QUIET)
    shared.request.change(
        # The request is cleared, so that the same picture can be asked for again.
        lambda asked: (asked, None) if asked else (gr.skip(), gr.skip()),
        shared.request,
        [shared.query, shared.request],
        **QUIET,
    )
    _connect_controls(shared, do, controls, search)
    _connect_collection(shared, do, controls, results, again)
    _connect_results(shared, do, controls, results, inputs)


def _connect_controls(
    shared: Shared, do: SearchHandlers, controls: SearchControls, search: dict[str, Any]
) -> None:
    changed_at_once: list[Any] = [
        controls.metric,
        controls.encoder,
        controls.mode,
        controls.exact,
        controls.fold,
        controls.combine,
        controls.side_by_side,
    ]
    changes = [control.input for control in changed_at_once]
    gr.on([*changes, controls.k.release, controls.diversity.release], trigger_mode="always_last", **search)
    counted = [shared.collection, *controls.filter_inputs]
    for place, box in enumerate(controls.filters):
        box.input(recount(shared.library, place), counted, controls.filters, **QUIET)
        box.input(trigger_mode="always_last", **search)
    moved = controls.ranges.click(
        do.slide,
        [shared.collection, controls.filter_state],
        controls.filter_state,
        trigger_mode="multiple",  # another handle may be moved before the first move is answered
        **QUIET,
    )
    moved.success(recount(shared.library, None), counted, controls.filters, **QUIET)
    moved.success(trigger_mode="always_last", **search)


def _connect_collection(
    shared: Shared, do: SearchHandlers, controls: SearchControls, results: _Results, again: dict[str, Any]
) -> None:
    """A collection brings its own encoders, filters and examples."""
    link = gr.State()
    shown = {
        "encoder": controls.encoder,
        "text": controls.text,
        "mode": controls.mode,
        "filters": controls.filters,
        "filter_group": controls.filter_group,
        "more_filters": controls.more_filters,
        "ranges": controls.ranges,
        "filter_state": controls.filter_state,
        "examples": results.examples,
        "example_cards": results.example_cards,
        "metric": controls.metric,
        "query": shared.query,
        "link": link,
    }
    show: dict[str, Any] = {
        **named_outputs(do.show_collection, shown),
        "inputs": [shared.collection, link],
        **QUIET,
    }
    shared.page.load(do.restore, None, [shared.collection, link], **QUIET).then(**show)
    shared.collection.change(**show).then(**again)
    results.examples.click(do.take_example, results.example_cards, shared.query, **QUIET)
    controls.text.submit(do.take_text, [controls.text, shared.query], shared.query, **QUIET)


def _connect_results(
    shared: Shared, do: SearchHandlers, controls: SearchControls, results: _Results, inputs: list[Any]
) -> None:
    hits = results.hits
    hits.connect(shared, shared.query)
    asked = [shared.query, shared.collection, controls.metric, *controls.filter_inputs]
    results.copy.click(do.link, asked, results.address, **QUIET).success(
        None, results.address, None, js=COPY, **QUIET
    )
    longer = {"status": results.status, "grid": hits.grid, "cards": hits.cards, "more": results.more}
    results.more.click(
        **named_outputs(do.more, longer),
        inputs=[hits.cards, *inputs],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=results.more,
    )
    results.export.click(do.export, [hits.cards, shared.query], [results.files, results.status], **QUIET)
