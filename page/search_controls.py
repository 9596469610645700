"""What a visitor of the Search tab sets: metric, filters, and the options that few need."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from page.filters import filter_boxes
from page.searching import MAX_HITS

__all__ = ["Controls", "combine_radio", "diversity_slider", "search_controls"]


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
