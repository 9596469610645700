"""Search: drop in a picture, and see the ones that look like it."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from page.handlers import HINT, MAX_FILTERS, MAX_HITS, Handlers
from page.shared import Shared
from page.views import note

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True)
class Controls:
    """What a visitor sets."""

    image: gr.Image
    collection: gr.Dropdown
    metric: gr.Radio
    encoder: gr.Dropdown
    k: gr.Slider
    exact: gr.Checkbox
    filters: list[gr.Dropdown]
    filter_group: gr.Accordion
    examples: gr.Gallery


@dataclass(frozen=True)
class Results:
    """What a visitor gets."""

    status: gr.HTML
    hits: gr.Gallery
    credit: gr.HTML
    larger: gr.Row
    picture: gr.Image
    details: gr.HTML
    more: gr.Button


@dataclass(frozen=True)
class Memory:
    """What the page remembers for one visitor."""

    query: gr.State
    problem: gr.State
    cards: gr.State
    examples: gr.State
    selected: gr.State


def build(shared: Shared, tab: gr.Tab) -> None:
    """The query and its settings on the left, hits on the right."""
    with gr.Row(elem_id="columns"):
        with gr.Column(scale=1, min_width=300):
            controls = _controls(shared)
        with gr.Column(scale=3, min_width=320):
            results = _results()
    memory = Memory(shared.query, gr.State(), gr.State([]), gr.State([]), gr.State())
    _connect(shared, Handlers(shared.library), controls, results, memory)


def _controls(shared: Shared) -> Controls:
    image = gr.Image(
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard", "webcam"],
        label="Your picture",
        height=260,
        buttons=["fullscreen"],
        elem_id="query",
    )
    examples = gr.Gallery(
        label="Examples",
        columns=4,
        height="auto",
        object_fit="cover",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="examples",
    )
    metric = gr.Radio(
        [("Cosine", "cosine"), ("Hamming", "hamming")], value="cosine", label="Distance", elem_id="metric"
    )
    with gr.Accordion("Filters", open=True, visible=False, elem_id="filters") as filter_group:
        filters = [gr.Dropdown([], multiselect=True, visible=False) for _ in range(MAX_FILTERS)]
    with gr.Accordion("More options", open=False, elem_id="options"):
        encoder = gr.Dropdown([], label="Encoder", visible=False, elem_id="encoder")
        k = gr.Slider(1, MAX_HITS, value=24, step=1, label="How many", elem_id="k")
        exact = gr.Checkbox(
            False, label="Exact", info="Compare with every picture instead of the index", elem_id="exact"
        )
    return Controls(image, shared.collection, metric, encoder, k, exact, filters, filter_group, examples)


def _results() -> Results:
    status = gr.HTML(note(HINT), elem_id="status")
    with gr.Row(visible=False, elem_id="larger") as larger:
        with gr.Column(scale=1, min_width=220):
            picture = gr.Image(
                show_label=False, interactive=False, height=300, buttons=["fullscreen"], elem_id="picture"
            )
        with gr.Column(scale=1, min_width=220):
            about = gr.HTML()
            more = gr.Button("Find more like this", variant="primary", elem_id="more")
    hits = gr.Gallery(
        show_label=False,
        container=False,
        columns=6,
        height="auto",
        object_fit="cover",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="hits",
    )
    return Results(status, hits, gr.HTML(elem_id="credit"), larger, picture, about, more)


def _connect(shared: Shared, do: Handlers, controls: Controls, results: Results, memory: Memory) -> None:
    """Events to handlers. A search follows everything that changes the query or a setting."""
    settings = [
        controls.collection,
        controls.encoder,
        controls.metric,
        controls.k,
        controls.exact,
        *controls.filters,
    ]
    search: dict[str, Any] = {
        "fn": do.find,
        "inputs": [memory.query, memory.problem, *settings],
        "outputs": [results.status, results.hits, memory.cards, results.credit, results.larger],
        "api_visibility": "private",
        "show_progress": "minimal",
        "show_progress_on": results.hits,
    }
    _connect_queries(shared, do, controls, results, memory, search)
    _connect_collections(shared, do, controls, memory, search)
    knobs = [controls.encoder.input, controls.metric.input, controls.exact.input, controls.k.release]
    gr.on(knobs, trigger_mode="always_last", **search)
    for place, box in enumerate(controls.filters):
        box.input(do.recount(place), [controls.collection, *controls.filters], controls.filters, **_QUIET)
        box.input(trigger_mode="always_last", **search)
    results.hits.select(
        do.enlarge,
        memory.cards,
        [results.larger, results.picture, results.details, memory.selected],
        scroll_to_output=True,
        **_QUIET,
    )


def _connect_queries(
    shared: Shared, do: Handlers, controls: Controls, results: Results, memory: Memory, search: dict[str, Any]
) -> None:
    """The three ways to a query: an upload, an example, a hit."""
    query = [memory.query, memory.problem]
    shown = [*query, controls.image]
    # preprocess=False: Gradio would open the file itself, and would not say what is wrong with a broken one.
    controls.image.input(
        do.take_upload, controls.image, shown, preprocess=False, trigger_mode="always_last", **_QUIET
    ).then(**search)
    controls.image.clear(lambda: (None, None), None, query, **_QUIET).then(**search)
    controls.examples.select(do.take_example, memory.examples, shown, **_QUIET).then(**search)
    results.more.click(do.take_card, memory.selected, shown, **_QUIET).then(**search)
    shared.request.change(do.take_request, shared.request, shown, **_QUIET).then(**search)


def _connect_collections(
    shared: Shared, do: Handlers, controls: Controls, memory: Memory, search: dict[str, Any]
) -> None:
    """A collection brings its own encoders, filters and examples; new ones appear while the page is open."""
    show: dict[str, Any] = {
        "fn": do.show_collection,
        "inputs": controls.collection,
        "outputs": [
            controls.encoder,
            *controls.filters,
            controls.filter_group,
            controls.examples,
            memory.examples,
        ],
        **_QUIET,
    }
    shared.page.load(**show)
    controls.collection.change(**show).then(**search)
