"""Filter boxes with live counts: each value says how many pictures it would leave, given the other boxes."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from page.library import Library
from page.text import field_name, spoken
from pipeline.errors import SimileError
from pipeline.search import Collection

__all__ = ["MAX_FILTERS", "boxes_of", "chosen_filters", "filter_boxes", "recount"]

MAX_FILTERS = 4
log = logging.getLogger("simile")


def filter_boxes() -> list[gr.Dropdown]:
    """As many as there can be; `boxes_of` fills those that a collection needs."""
    return [gr.Dropdown([], multiselect=True, visible=False) for _ in range(MAX_FILTERS)]


def boxes_of(found: Collection, chosen: Mapping[str, list[Any]] | None = None) -> list[Any]:
    """Updates for `filter_boxes`: fields, values and counts of a collection, and what is chosen in them."""
    boxes = []
    for field in found.filters[:MAX_FILTERS]:
        choices, value = _choices(found, field, {}), (chosen or {}).get(field, [])
        boxes.append(gr.update(label=field_name(field), choices=choices, value=value, visible=bool(choices)))
    return boxes + [gr.update(visible=False, choices=[], value=[])] * (MAX_FILTERS - len(boxes))


def chosen_filters(found: Collection, chosen: Sequence[Any]) -> dict[str, Any]:
    """{field: values} from the boxes, which stand in the order of the collection's fields."""
    return {
        field: list(values)
        for field, values in zip(found.filters[:MAX_FILTERS], chosen, strict=False)
        if values
    }


def recount(library: Library, changed: int) -> Callable[..., list[Any]]:
    """A handler for box number `changed`: the counts in the other boxes follow it."""

    def handler(name: str, *chosen: list[str]) -> list[Any]:
        try:
            found = library.open(name)
            return [_recounted(found, place, chosen, changed) for place in range(MAX_FILTERS)]
        except Exception as error:  # the counts stay as they were; the search beside this one says why
            if not isinstance(error, SimileError):
                log.exception("counts failed")
            return [gr.skip()] * MAX_FILTERS

    return handler


def _choices(
    found: Collection, field: str, filters: dict[str, Any], keep: Sequence[str] = ()
) -> list[tuple[str, str]]:
    others = {name: values for name, values in filters.items() if name != field}
    counts = found.facets(field, filters=others or None)
    present = {value for value, _ in counts}
    counts = [*counts, *((value, 0) for value in keep if value not in present)]
    return [(f"{spoken(value)} ({count:,})", value) for value, count in counts]


def _recounted(found: Collection, place: int, chosen: Sequence[list[str]], changed: int) -> Any:
    if place == changed or place >= len(found.filters):
        return gr.skip()
    keep = chosen[place] or []
    return gr.update(choices=_choices(found, found.filters[place], chosen_filters(found, chosen), keep))
