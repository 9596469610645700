"""Search: drop in a picture, and see the ones that look like it."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from page.components.address_bar import address_bar
from page.components.cards import grid
from page.components.closeness import chosen_step
from page.components.event_wiring import QUIET, named_outputs
from page.components.filter_boxes import recount
from page.components.filter_chips import chips
from page.components.hits import HitsView, hits_view
from page.components.palette import repainted
from page.components.query_panel import QueryPanel, query_panel
from page.components.search_controls import SearchControls, search_controls
from page.components.selection import selection_bar
from page.components.start import start_area
from page.components.suggested_parts import SuggestedParts, parts_over
from page.public_blocks import is_busy
from page.shared_state import Shared
from page.tabs.query_changes import QueryChanges
from page.tabs.search_arrival import ArrivalHandlers
from page.tabs.search_handlers import HINT, SearchHandlers
from page.tabs.search_links import OWN_PICTURE, LinkHandlers
from page.tabs.search_selection import connect_selection
from page.wording import note

__all__ = ["build"]

_TELL_TAB = '() => { document.dispatchEvent(new Event("simile:tab")); }'
_COPY = "() => { navigator.clipboard?.writeText(location.href).catch(() => {}); }"


@dataclass(frozen=True)
class _Results:
    """The components that show what was found."""

    start: gr.HTML
    status: gr.HTML
    copy: gr.Button
    include: gr.Row
    share: gr.Button
    export: gr.Button
    chips: gr.HTML
    files: gr.File
    examples: gr.HTML
    example_cards: gr.State
    hits: HitsView
    selection: gr.HTML
    more: gr.Button
    credit: gr.HTML
    address: gr.HTML


def build(shared: Shared, tab: gr.Tab) -> None:
    """The query and its settings on the left, hits on the right."""
    with gr.Row(elem_classes=["sides"]):
        with gr.Column(scale=1, min_width=300, elem_classes=["side"]):
            panel = query_panel(shared.query, "search")
            parts = parts_over("search")
            controls = search_controls()
        with gr.Column(scale=4, min_width=320, elem_classes=["wide"]):
            results = _results(shared.hits, shared.library.edits)
    do = SearchHandlers(shared.library, shared.uploads)
    arrive = ArrivalHandlers(shared.library, do, shared.uploads)
    _connect(shared, do, arrive, panel, controls, results)
    # After the hits, so that nobody waits for it.
    suggested = SuggestedParts(shared.library, lambda: is_busy(shared.page))
    shared.hits.change(suggested.of, [shared.query, shared.collection], parts, concurrency_limit=1, **QUIET)


def _results(cards: gr.State, edits: bool) -> _Results:
    start = start_area()
    with gr.Row(elem_classes=["line"]):
        status = gr.HTML(note(HINT), elem_id="status")
        copy = gr.Button("Copy link", size="sm", elem_id="copy-link", min_width=90, scale=0)
        export = gr.Button("Download", size="sm", visible=False, elem_id="export", min_width=90, scale=0)
    with gr.Row(visible=False, elem_id="include", elem_classes=["line"]) as include:
        gr.HTML(note(OWN_PICTURE))
        share = gr.Button("Include my picture", size="sm", elem_id="share", min_width=150, scale=0)
    active, selection = chips(), selection_bar(edits)
    files = gr.File(
        visible=False,
        interactive=False,
        file_count="multiple",
        label="Download results",
        elem_id="files",
    )
    return _Results(
        start=start,
        status=status,
        copy=copy,
        include=include,
        share=share,
        export=export,
        chips=active,
        files=files,
        examples=grid("examples", classes="examples"),
        example_cards=gr.State([]),
        hits=hits_view("search", cards=cards),
        selection=selection,
        more=gr.Button("Show more", visible=False, elem_id="more"),
        credit=gr.HTML(elem_id="credit"),
        address=address_bar(),
    )


def _connect(
    shared: Shared,
    do: SearchHandlers,
    arrive: ArrivalHandlers,
    panel: QueryPanel,
    controls: SearchControls,
    results: _Results,
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
        "closeness_view": controls.closeness_view,
        "chips": results.chips,
        "start": results.start,
        "address": results.address,
    }
    inputs = [shared.query, shared.collection, *controls.inputs]
    search: dict[str, Any] = {
        **named_outputs(do.find, shown),
        "inputs": [shared.searched, *inputs],
        "api_visibility": "private",
        "show_progress": "minimal",
        "show_progress_on": results.status,
    }
    panel.connect(results.status, shows=False)
    of_query = {"text": controls.text, "include": results.include, "query": shared.query}
    QueryChanges(do).connect(panel, results.examples, results.example_cards, {**shown, **of_query}, search)
    shared.request.change(
        # The request is cleared, so that the same picture can be asked for again.
        lambda asked: (asked, None) if asked else (gr.skip(), gr.skip()),
        shared.request,
        [shared.query, shared.request],
        **QUIET,
    )
    _connect_controls(shared, arrive, controls, search)
    _connect_filters(shared, arrive, panel, controls, results, search)
    _connect_arrivals(shared, arrive, panel, controls, results, shown, search)
    results.start.click(do.begin, shared.collection, [shared.collection, shared.query], **QUIET)
    asked = [controls.text, shared.query]
    controls.text.submit(do.take_text, asked, shared.query, trigger_mode="always_last", **QUIET)
    _connect_results(shared, do, results, inputs)


def _step(event: gr.EventData) -> Any:
    step = chosen_step(event)
    return gr.skip() if step is None else step


def _connect_controls(
    shared: Shared, arrive: ArrivalHandlers, controls: SearchControls, search: dict[str, Any]
) -> None:
    changed_at_once: list[Any] = [
        controls.metric,
        controls.encoder,
        controls.exact,
        controls.fold,
        controls.combine,
        controls.side_by_side,
        controls.everywhere,
    ]
    changes = [control.input for control in changed_at_once]
    gr.on([*changes, controls.k.release, controls.diversity.release], trigger_mode="always_last", **search)
    nearer = controls.closeness_view.click(_step, None, controls.closeness, trigger_mode="multiple", **QUIET)
    nearer.success(trigger_mode="always_last", **search)
    painted = controls.colours_view.click(
        repainted,
        [controls.colours, shared.query],
        [controls.colours, controls.colours_view],
        trigger_mode="multiple",  # two colours may be chosen before the first is answered
        **QUIET,
    )
    painted.success(trigger_mode="always_last", **search)
    counted = [shared.collection, *controls.filter_inputs]
    for place, box in enumerate(controls.filters):
        box.input(recount(shared.library, place), counted, controls.filters, **QUIET)
        box.input(trigger_mode="always_last", **search)
    moved = controls.ranges.click(
        arrive.slide,
        [shared.collection, controls.filter_state],
        controls.filter_state,
        trigger_mode="multiple",  # another handle may be moved before the first move is answered
        **QUIET,
    )
    moved.success(recount(shared.library, None), counted, controls.filters, **QUIET)
    moved.success(trigger_mode="always_last", **search)


def _connect_filters(
    shared: Shared,
    arrive: ArrivalHandlers,
    panel: QueryPanel,
    controls: SearchControls,
    results: _Results,
    search: dict[str, Any],
) -> None:
    """Chips take filters off, and a new search begins without any."""
    changed = {
        "filters": controls.filters,
        "ranges": controls.ranges,
        "filter_state": controls.filter_state,
        "colours": controls.colours,
        "colours_view": controls.colours_view,
    }
    counted = [shared.collection, *controls.filter_inputs]
    off = results.chips.click(**named_outputs(arrive.take_off, changed), inputs=counted, **QUIET)
    new = panel.view.click(**named_outputs(arrive.clear, changed), inputs=shared.collection, **QUIET)
    for event in (off, new):
        event.success(recount(shared.library, None), counted, controls.filters, **QUIET)
        event.success(trigger_mode="always_last", **search)


def _connect_arrivals(
    shared: Shared,
    arrive: ArrivalHandlers,
    panel: QueryPanel,
    controls: SearchControls,
    results: _Results,
    shown: dict[str, Any],
    search: dict[str, Any],
) -> None:
    """The page's address, back and forward set everything; another collection its own controls."""
    shown_for = gr.State()
    of_collection = {
        "shown_for": shown_for,
        "encoder": controls.encoder,
        "text": controls.text,
        "labels": controls.labels,
        "filters": controls.filters,
        "filter_group": controls.filter_group,
        "more_filters": controls.more_filters,
        "ranges": controls.ranges,
        "filter_state": controls.filter_state,
        "colours": controls.colours,
        "colours_view": controls.colours_view,
        "examples": results.examples,
        "example_cards": results.example_cards,
        "start": results.start,
    }
    everything = {
        **of_collection,
        **shown,
        "collection": shared.collection,
        "query": shared.query,
        **panel.outputs,
        "words": controls.text,
        "include": results.include,
        "tabs": shared.tabs,
        "viewer": results.hits.viewer,
        "selected": results.hits.selected,
        "options": [getattr(controls, name) for name in arrive.plain],
    }
    shared.page.load(**named_outputs(arrive.load, everything), inputs=None, **QUIET)
    results.address.click(**named_outputs(arrive.go_to, everything), inputs=None, **QUIET)
    shared.tabs.change(None, None, None, js=_TELL_TAB, **QUIET)
    another = named_outputs(arrive.show_collection, of_collection)
    shared.collection.change(**another, inputs=[shown_for, shared.collection], **QUIET).then(**search)


def _connect_results(shared: Shared, do: SearchHandlers, results: _Results, inputs: list[Any]) -> None:
    hits = results.hits
    links = LinkHandlers(shared.uploads)
    hits.connect(shared, shared.query)
    connect_selection(shared, results.selection, hits, results.status, results.files)
    results.copy.click(None, None, None, js=_COPY, **QUIET)
    results.copy.click(links.copied, shared.query, results.include, **QUIET)
    results.share.click(None, None, None, js=_COPY, **QUIET)
    results.share.click(links.share, shared.query, results.include, **QUIET)
    longer = {
        "status": results.status,
        "grid": hits.grid,
        "cards": hits.cards,
        "more": results.more,
        "address": results.address,
    }
    results.more.click(
        **named_outputs(do.more, longer),
        inputs=[hits.cards, *inputs],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=results.more,
    )
    results.export.click(do.export, [hits.cards, shared.query], [results.files, results.status], **QUIET)
