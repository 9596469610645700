"""Filter boxes with live counts: each value says how many pictures it would leave, given the other filters.

Fields of text, lists of text, and booleans have a box; numbers and times have a slider with two ends, in
range_sliders.py. `FilterState` says which field is in which box, and keeps what the sliders are set to.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.range_sliders import Slider, slider_of
from page.wording import field_name, value_words
from pipeline.errors import SimileError
from pipeline.search import Collection
from pipeline.search.counts import Counted

__all__ = [
    "FIRST_FILTERS",
    "MAX_FILTERS",
    "MOST_VALUES",
    "NO_VALUE",
    "FilterState",
    "Places",
    "boxes_of",
    "chosen_filters",
    "chosen_in_boxes",
    "filter_boxes",
    "more_filters",
    "places_of",
    "recount",
    "state_of",
]

MAX_FILTERS = 12  # boxes, and as many sliders; each box is counted anew when another filter changes
FIRST_FILTERS = 4  # boxes that are always visible; the others are behind "More filters"
MOST_VALUES = 1000  # of a box; some 50 kB, which are sent each time that it is counted
NO_VALUE = "\0no value"  # of the choice in a box that stands for pictures without a value
_MOST_COUNTED = 50_000  # values; a field that has more is an identifier and no filter
log = logging.getLogger("simile")


@dataclass(frozen=True)
class FilterState:
    """What the page remembers of a visitor's filters beside the values of the boxes.

    Attributes:
        boxes: fields of the boxes, in their order.
        ranges: field -> what its slider asks for, as a search takes it.
    """

    boxes: tuple[str, ...] = ()
    ranges: Mapping[str, Any] = field(default_factory=dict)

    def moved(self, name: str, wanted: Any) -> "FilterState":
        """With a slider set to something else; None: it asks nothing."""
        others = {other: each for other, each in self.ranges.items() if other != name}
        return replace(self, ranges=others if wanted is None else {**others, name: wanted})


@dataclass(frozen=True)
class Places:
    """Which filters of a collection are where.

    Attributes:
        boxes: fields with a box, all of them; there may be more than boxes.
        sliders: of the other fields, those that have two values or more.
    """

    boxes: tuple[str, ...]
    sliders: tuple[Slider, ...]


def places_of(found: Collection) -> Places:
    """Numbers and times have sliders, unless they are whole numbers that a browser cannot hold."""
    boxes, sliders = [], []
    for name in found.filters:
        slider = slider_of(found, name) if found.kinds[name].ordered else None
        if slider and slider.exact:
            sliders.append(slider)
        elif slider or not found.kinds[name].ordered:
            boxes.append(name)
    return Places(tuple(boxes), tuple(one for one in sliders if one.low < one.high or one.without))


def state_of(places: Places, chosen: Mapping[str, Any]) -> FilterState:
    """What a collection begins with, where `chosen` is what a link asks for."""
    ranges = {one.field: chosen[one.field] for one in places.sliders if one.field in chosen}
    return FilterState(places.boxes[:MAX_FILTERS], ranges)


def chosen_in_boxes(places: Places, chosen: Mapping[str, Any]) -> list[list[str]]:
    """Values of the boxes, as the browser sends them, where `chosen` is what a link asks for."""
    names = [*places.boxes[:MAX_FILTERS], *[""] * MAX_FILTERS][:MAX_FILTERS]
    return [[_of_choice(one) for one in chosen.get(name, [])] for name in names]


def filter_boxes() -> tuple[list[gr.Dropdown], gr.Accordion]:
    """As many boxes as there can be, and the accordion around all but the first; `boxes_of` fills them."""
    boxes = [_box() for _ in range(FIRST_FILTERS)]
    with gr.Accordion("More filters", open=False, visible=False, elem_id="more-filters") as more:
        boxes += [_box() for _ in range(MAX_FILTERS - FIRST_FILTERS)]
    return boxes, more


def _box() -> gr.Dropdown:
    return gr.Dropdown([], multiselect=True, visible=False)


def more_filters(places: Places | None) -> Any:
    """An update of the accordion; its label says when the collection has more fields than boxes."""
    n = len(places.boxes) if places else 0
    rest = f" (the first {MAX_FILTERS} of {n} fields)" if n > MAX_FILTERS else ""
    return gr.update(visible=n > FIRST_FILTERS, label=f"More filters{rest}")


def boxes_of(found: Collection, places: Places, chosen: Mapping[str, Any] | None = None) -> list[Any]:
    """Updates of the boxes: fields, values and counts of a collection, and the chosen values."""
    boxes = []
    for name in places.boxes[:MAX_FILTERS]:
        value = [_of_choice(one) for one in (chosen or {}).get(name, [])]
        choices, info = _choices(found, name, {}, value)
        boxes.append(
            gr.update(label=field_name(name), choices=choices, value=value, info=info, visible=bool(choices))
        )
    return boxes + [gr.update(visible=False, choices=[], value=[])] * (MAX_FILTERS - len(boxes))


def chosen_filters(found: Collection, chosen: Sequence[Any]) -> dict[str, Any]:
    """Filters as a search takes them.

    Args:
        chosen: values of the boxes, and the `FilterState` as the last one.
    """
    *values, state = chosen or (FilterState(),)
    wanted = {
        name: [None if one == NO_VALUE else one for one in each]
        for name, each in zip(state.boxes, values, strict=False)
        if each
    }
    return {name: each for name, each in {**wanted, **state.ranges}.items() if name in found.kinds}


def recount(library: CollectionLibrary, changed: int | None) -> Callable[..., list[Any]]:
    """A handler for box number `changed` (None: a slider), which counts the other boxes' values anew."""

    def handler(name: str, *chosen: Any) -> list[Any]:
        try:
            found = library.open(name)
            return [_recounted(found, place, chosen, changed) for place in range(MAX_FILTERS)]
        except (
            Exception
        ) as error:  # the counts stay as they were; the search that runs at the same time shows the error
            if not isinstance(error, SimileError):
                log.exception("counts failed")
            return [gr.skip()] * MAX_FILTERS

    return handler


def _of_choice(value: Any) -> str:
    """A value as the choice of a box: text, in which whole numbers of any size survive a browser."""
    if value is None:
        return NO_VALUE
    return str(value).lower() if isinstance(value, bool) else str(value)


def _choices(
    found: Collection, name: str, filters: dict[str, Any], keep: Sequence[str] = ()
) -> tuple[list[tuple[str, str]], str | None]:
    """Values with their counts, always those of `keep`; and a remark if there are too many to list."""
    others = {field: wanted for field, wanted in filters.items() if field != name} or None
    counted = found.facets(name, filters=others, limit=_MOST_COUNTED)
    words = {_of_choice(value): value_words(value) for value, _ in counted}
    counts = {_of_choice(value): count for value, count in counted}
    listed = dict(list(counts.items())[:MOST_VALUES])
    without = found.without_value(name, others)
    if without and (counts or others):
        listed[NO_VALUE] = without
    listed |= {value: counts.get(value, 0) for value in keep if value not in listed}
    words[NO_VALUE] = value_words(None)
    exact = found.counted.exact
    choices = [
        (f"{words.get(value, value)} ({Counted(count, exact)})", value) for value, count in listed.items()
    ]
    cut = f"{MOST_VALUES:,} of {len(counts):,} values, most frequent first"
    return choices, cut if len(counts) > MOST_VALUES else None


def _recounted(found: Collection, place: int, chosen: Sequence[Any], changed: int | None) -> Any:
    fields = chosen[-1].boxes
    if place == changed or place >= len(fields):
        return gr.skip()
    choices, info = _choices(found, fields[place], chosen_filters(found, chosen), chosen[place] or [])
    return gr.update(choices=choices, info=info)
