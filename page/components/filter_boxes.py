"""Filter boxes with live counts: each value says how many pictures it would leave, given the other boxes."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.wording import field_name, readable
from pipeline.errors import SimileError
from pipeline.search import Collection
from pipeline.search.counts import Counted

__all__ = [
    "FIRST_FILTERS",
    "MAX_FILTERS",
    "MOST_VALUES",
    "boxes_of",
    "chosen_filters",
    "filter_boxes",
    "more_filters",
    "recount",
]

MAX_FILTERS = 12  # boxes; each of them is counted anew when another one changes
FIRST_FILTERS = 4  # boxes that are always visible; the others are behind "More filters"
MOST_VALUES = 1000  # of a box; some 50 kB, which are sent each time that it is counted
_MOST_COUNTED = 50_000  # values; a field that has more is an identifier and no filter
log = logging.getLogger("simile")


def filter_boxes() -> tuple[list[gr.Dropdown], gr.Accordion]:
    """As many boxes as there can be, and the accordion around all but the first; `boxes_of` fills them."""
    boxes = [_box() for _ in range(FIRST_FILTERS)]
    with gr.Accordion("More filters", open=False, visible=False, elem_id="more-filters") as more:
        boxes += [_box() for _ in range(MAX_FILTERS - FIRST_FILTERS)]
    return boxes, more


def _box() -> gr.Dropdown:
    return gr.Dropdown([], multiselect=True, visible=False)


def more_filters(found: Collection | None) -> Any:
    """An update of the accordion; its label says when the collection has more fields than boxes."""
    fields = found.filters if found else []
    rest = f" (the first {MAX_FILTERS} of {len(fields)} fields)" if len(fields) > MAX_FILTERS else ""
    return gr.update(visible=len(fields) > FIRST_FILTERS, label=f"More filters{rest}")


def boxes_of(found: Collection, chosen: Mapping[str, list[Any]] | None = None) -> list[Any]:
    """Updates of the boxes: fields, values and counts of a collection, and the chosen values."""
    boxes = []
    for field in found.filters[:MAX_FILTERS]:
        value = (chosen or {}).get(field, [])
        choices, info = _choices(found, field, {}, value)
        boxes.append(
            gr.update(label=field_name(field), choices=choices, value=value, info=info, visible=bool(choices))
        )
    return boxes + [gr.update(visible=False, choices=[], value=[])] * (MAX_FILTERS - len(boxes))


def chosen_filters(found: Collection, chosen: Sequence[Any]) -> dict[str, Any]:
    """{field: values} from the boxes, which stand in the order of the collection's fields."""
    return {
        field: list(values)
        for field, values in zip(found.filters[:MAX_FILTERS], chosen, strict=False)
        if values
    }


def recount(library: CollectionLibrary, changed: int) -> Callable[..., list[Any]]:
    """A handler for box number `changed`, which counts the values of the other boxes anew."""

    def handler(name: str, *chosen: list[str]) -> list[Any]:
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


def _choices(
    found: Collection, field: str, filters: dict[str, Any], keep: Sequence[str] = ()
) -> tuple[list[tuple[str, str]], str | None]:
    """Values with their counts, always those of `keep`; and a remark if there are too many to list."""
    others = {name: values for name, values in filters.items() if name != field}
    counts = dict(found.facets(field, filters=others or None, limit=_MOST_COUNTED))
    listed = dict(list(counts.items())[:MOST_VALUES])
    listed |= {value: counts.get(value, 0) for value in keep}
    exact = found.counted.exact
    choices = [(f"{readable(value)} ({Counted(count, exact)})", value) for value, count in listed.items()]
    cut = f"{MOST_VALUES:,} of {len(counts):,} values, most frequent first"
    return choices, cut if len(counts) > MOST_VALUES else None


def _recounted(found: Collection, place: int, chosen: Sequence[list[str]], changed: int) -> Any:
    if place == changed or place >= len(found.filters):
        return gr.skip()
    keep = chosen[place] or []
    choices, info = _choices(found, found.filters[place], chosen_filters(found, chosen), keep)
    return gr.update(choices=choices, info=info)
