"""Active filters as chips that can be taken off one by one, also while the filters are folded."""

from collections.abc import Mapping
from html import escape
from typing import Any

import gradio as gr

from page.theme import script
from page.wording import field_name, value_words

__all__ = ["chips", "chips_html", "without_chip"]

_ALL = "all"


def chips() -> gr.HTML:
    """The component; its value is of `chips_html`, and `without_chip` reads its `click` event."""
    return gr.HTML("", elem_id="chips", js_on_load=script("chips.js"), apply_default_css=False)


def chips_html(filters: Mapping[str, Any] | None, *, nothing: bool = False) -> str:
    """One chip for each value of each filter, in the order of the filters.

    Args:
        nothing: these filters leave no picture, so taking the last one away is offered.
    """
    each = _each(filters)
    if not each:
        return ""
    items = "".join(
        f'<li><button type="button" class="quiet" data-at="{at}" aria-label="Remove {words}">{words} '
        '<span aria-hidden="true">✕</span></button></li>'
        for at, words in enumerate(_words(field, value) for field, value in each)
    )
    last = _words(*each[-1])
    offer = (
        f'<button type="button" class="offer" data-at="{len(each) - 1}">Remove “{last}”</button>'
        if nothing
        else ""
    )
    all_of_them = f'<li><button type="button" class="quiet" data-at="{_ALL}">Clear filters</button></li>'
    return f'<ul class="active">{items}{all_of_them if len(each) > 1 else ""}</ul>{offer}'


def without_chip(event: gr.EventData, filters: Mapping[str, Any]) -> dict[str, Any] | None:
    """The filters after a chip was taken off; None for anything that the chips do not send."""
    data: dict[str, Any] = event._data if isinstance(event._data, dict) else {}
    at, each = data.get("at"), _each(filters)
    if at == _ALL:
        return {}
    if not isinstance(at, str) or not at.isascii() or not at.isdigit() or int(at) >= len(each):
        return None
    left: dict[str, Any] = {}
    for place, (field, value) in enumerate(each):
        if place != int(at):
            left.setdefault(field, []).append(value)
    return left


def _each(filters: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    return [(field, value) for field, values in (filters or {}).items() for value in values]


def _words(field: str, value: Any) -> str:
    return escape(f"{field_name(field)}: {value_words(value)}", quote=True)
