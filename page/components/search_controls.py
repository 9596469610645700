"""What a visitor sets for a search: the controls, and their values as one object."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import gradio as gr

from page.components.closeness import STEPS, closeness_slider
from page.components.filter_boxes import FilterState, chosen_filters, filter_boxes
from page.components.label_list import label_list
from page.components.palette import palette_of, palette_view, without_hash
from page.components.range_sliders import range_sliders
from pipeline.errors import SimileError
from pipeline.index_quality.calibration import match_threshold
from pipeline.printable import printable
from pipeline.search import MAX_K, METRICS, Collection, Metric, Settings
from pipeline.search.query import MOST_CHARACTERS

__all__ = [
    "MAX_HITS",
    "SearchControls",
    "SearchOptions",
    "check_bounds",
    "combine_radio",
    "diversity_slider",
    "option_of",
    "search_controls",
]

MAX_HITS = 100  # of one search; a visitor asks for more by "Show more"
_MOST_DIVERSITY = 0.9
_ENDS = {"k": (1, MAX_HITS), "diversity": (0, _MOST_DIVERSITY)}
_CHOICES = {"metric": METRICS, "combine": ("any", "average"), "everywhere": ("beside", "merged")}


def check_bounds(metric: object, k: object, offset: object = 0) -> None:
    """Refuses values that a program may send and the page's own controls cannot.

    Raises:
        SimileError: an unknown metric, `k` beyond 1 to `MAX_HITS`, or an offset beyond 0 to `MAX_K`.
    """
    if metric not in METRICS:
        raise SimileError(
            f"metric {printable(repr(metric), 60)} does not exist; there are: {', '.join(METRICS)}"
        )
    if isinstance(k, bool) or not isinstance(k, int | float) or not 1 <= k <= MAX_HITS:
        raise SimileError(f"k must be a whole number from 1 to {MAX_HITS}, not {printable(repr(k), 60)}")
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not 0 <= offset <= MAX_K:
        raise SimileError(
            f"offset must be a whole number from 0 to {MAX_K:,}, not {printable(repr(offset), 60)}"
        )


@dataclass(frozen=True)
class SearchOptions:
    """Values of the controls. All fields but `filters` are named like the controls that they come from."""

    metric: Metric = "cosine"
    encoder: str | None = None
    closeness: float = 0  # of `closeness.STEPS`
    k: float = 24
    exact: bool = False
    fold: bool = False
    diversity: float = 0.0
    combine: Literal["any", "average"] = "any"
    side_by_side: bool = False
    everywhere: Literal["", "beside", "merged"] = ""  # in all collections at once
    colours: str = ""  # such as `aa3311,ffeecc`
    filters: tuple[Any, ...] = ()  # what is chosen in each filter box, and the `FilterState`

    @classmethod
    def of(cls, values: Sequence[Any]) -> "SearchOptions":
        """From the values of `SearchControls.inputs`."""
        plain = len(fields(cls)) - 1
        return cls(*[*values[:plain], tuple(values[plain:])])

    def settings(self, found: Collection) -> Settings:
        """The search that they describe in this collection.

        Raises:
            SimileError: a value is out of bounds.
        """
        check_bounds(self.metric, self.k)
        entry = found.encoder_entry(self.encoder or None)
        kept = entry.calibration.of(self.metric) if entry.calibration else None
        near = self.closeness if self.closeness in STEPS else 0
        return Settings(
            metric=self.metric,
            k=int(self.k),
            filters=chosen_filters(found, self.filters) or None,
            exact=bool(self.exact),
            encoder=self.encoder or None,
            combine=self.combine,
            diversity=float(self.diversity or 0),
            min_score=match_threshold(kept, near / 100) if kept and near else None,
            fold=bool(self.fold),
            colours=palette_of(found, self.colours),
        )


def option_of(name: str, text: str, encoders: Sequence[str]) -> Any:
    """The value of a control from its text in an address.

    Raises:
        ValueError: the control cannot have it.
    """
    usual = getattr(SearchOptions(), name)
    if isinstance(usual, bool):
        return {"true": True, "false": False}[text] if text in ("true", "false") else _refuse(text)
    if name == "colours":
        try:
            return without_hash(text.split(","))
        except SimileError:
            return _refuse(text)
    if name == "closeness":
        return float(text) if float(text) in STEPS else _refuse(text)
    if name in _ENDS:
        value, (least, most) = float(text), _ENDS[name]
        return value if least <= value <= most else _refuse(text)
    allowed = encoders if name == "encoder" else _CHOICES[name]
    return text if text in allowed else _refuse(text)


def _refuse(text: str) -> Any:
    raise ValueError(text)


@dataclass(frozen=True)
class SearchControls:
    """The components that a visitor sets."""

    text: gr.Textbox
    labels: gr.HTML
    metric: gr.Radio
    filter_group: gr.Accordion
    filters: list[gr.Dropdown]
    more_filters: gr.Accordion
    ranges: gr.HTML
    filter_state: gr.State
    closeness: gr.State
    closeness_view: gr.HTML
    colours: gr.State
    colours_view: gr.HTML
    k: gr.Slider
    diversity: gr.Slider
    combine: gr.Radio
    fold: gr.Checkbox
    exact: gr.Checkbox
    side_by_side: gr.Checkbox
    everywhere: gr.Radio
    encoder: gr.Dropdown

    @property
    def inputs(self) -> list[Any]:
        """Inputs of every search, for `SearchOptions.of`."""
        *plain, _ = (field.name for field in fields(SearchOptions))
        return [*(getattr(self, name) for name in plain), *self.filter_inputs]

    @property
    def filter_inputs(self) -> list[Any]:
        """What `filter_boxes.chosen_filters` takes."""
        return [*self.filters, self.filter_state]


def search_controls() -> SearchControls:
    """The controls, in the order of the page."""
    text = gr.Textbox(
        label="Words",
        placeholder="a boat at dusk",
        elem_id="words",
        submit_btn="Search",
        max_length=MOST_CHARACTERS,
        max_lines=1,
    )
    labels = label_list()
    colours, colours_view = gr.State(""), palette_view()
    closeness, closeness_view = gr.State(0), closeness_slider()
    with gr.Accordion("Filters", open=False, elem_id="filters") as filter_group:
        filters, more_filters = filter_boxes()
        ranges, filter_state = range_sliders(), gr.State(FilterState())
    with gr.Accordion("More options", open=False, elem_id="options"):
        everywhere = gr.Radio(
            [("This collection", ""), ("All, side by side", "beside"), ("All in one order", "merged")],
            value="",
            label="Search in",
            info="One order sorts hits by how rare they are in their own collections",
            elem_id="everywhere",
        )
        metric = gr.Radio(
            [("Cosine", "cosine"), ("Hamming", "hamming")], value="cosine", label="Distance", elem_id="metric"
        )
        encoder = gr.Dropdown([], label="Encoder", visible=False, elem_id="encoder")
        k = gr.Slider(1, MAX_HITS, value=24, step=1, label="How many at a time", elem_id="k")
        diversity = diversity_slider("More: hits less like one another", "diversity")
        combine = combine_radio("Several pictures", "combine")
        fold = gr.Checkbox(
            False,
            label="Hide near-duplicates",
            info="Show only one of nearly identical pictures",
            elem_id="fold",
        )
        exact = gr.Checkbox(
            False, label="Exact", info="Compare with every picture instead of the index", elem_id="exact"
        )
        side_by_side = gr.Checkbox(
            False,
            label="Side by side",
            info="Cosine, Hamming and exact in columns, with what they agree on",
            elem_id="beside",
        )
    return SearchControls(
        text=text,
        labels=labels,
        metric=metric,
        filter_group=filter_group,
        filters=filters,
        more_filters=more_filters,
        ranges=ranges,
        filter_state=filter_state,
        closeness=closeness,
        closeness_view=closeness_view,
        colours=colours,
        colours_view=colours_view,
        k=k,
        diversity=diversity,
        combine=combine,
        fold=fold,
        exact=exact,
        side_by_side=side_by_side,
        everywhere=everywhere,
        encoder=encoder,
    )


def combine_radio(label: str, elem_id: str) -> gr.Radio:
    """How several likes make one query."""
    choices = [("Like any of them", "any"), ("Like their average", "average")]
    return gr.Radio(choices, value="any", label=label, elem_id=elem_id)


def diversity_slider(info: str, elem_id: str) -> gr.Slider:
    """0 for the nearest hits; towards 1 they are less like one another (maximal marginal relevance)."""
    return gr.Slider(0, _MOST_DIVERSITY, value=0, step=0.1, label="Diversity", info=info, elem_id=elem_id)
