"""Sliders with two ends for fields of numbers and times, each with a box to tick for "no value"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from math import floor
from typing import Any

import gradio as gr

from page.theme import script
from page.wording import field_name, sentence, value_words
from pipeline.fields import EXACT, Kind, read_time
from pipeline.search import Collection

__all__ = ["Slider", "range_sliders", "slid", "slider_of", "sliders_html"]

FIRST_SLIDERS = 4  # that are always visible; the others are behind "More numbers and dates"
_DAY, _MINUTE = 86_400, 60  # seconds
_FEW_DAYS = 3  # times that lie nearer together than this are told apart by the minute


@dataclass(frozen=True)
class Slider:
    """A field of numbers or times, as whole steps of a slider.

    Attributes:
        low, high: the ends. Of times in seconds since 1970, in whole steps.
        step: between two places of a handle; 0: it may be anywhere.
        without: pictures that have no value.
    """

    field: str
    kind: Kind
    low: float
    high: float
    step: float
    without: int = 0

    @property
    def exact(self) -> bool:
        """Whether a browser can hold the ends."""
        return max(abs(self.low), abs(self.high)) <= EXACT

    def bound(self, place: float, up: bool) -> Any:
        """The value at a place as a search takes it; `up`: of the upper end."""
        if self.kind == "integer":
            return round(place)
        if self.kind == "number":
            return float(f"{place:.6g}")
        moment = datetime.fromtimestamp(place, UTC)
        if self.step >= _DAY:
            return moment.date().isoformat()
        last = _MINUTE - 1e-6 if up else 0  # the whole of the minute belongs to the range
        return datetime.fromtimestamp(place + last, UTC).isoformat()

    def place(self, value: Any) -> float:
        """The inverse of `bound`, for what a link asks for."""
        moment = read_time(value) if self.kind == "time" else None
        return min(self.high, max(self.low, moment.timestamp() if moment else float(value)))


def slider_of(found: Collection, name: str) -> Slider | None:
    """The slider of a field; None where no picture has a value."""
    ends, kind = found.bounds(name), found.kinds[name].kind
    if ends is None:
        return None
    without = found.without_value(name)
    if kind == "integer":
        return Slider(name, kind, *ends, 1, without)
    if kind == "number":
        return Slider(name, kind, *ends, 0, without)
    low, high = (moment.timestamp() for moment in map(read_time, ends) if moment)
    step = _DAY if high - low > _FEW_DAYS * _DAY else _MINUTE
    return Slider(name, kind, floor(low / step) * step, floor(high / step) * step, step, without)


def range_sliders() -> gr.HTML:
    """The component; its value is of `sliders_html`, and `slid` reads its `click` event."""
    return gr.HTML("", elem_id="ranges", js_on_load=script("ranges.js"), apply_default_css=False)


def slid(event: gr.EventData, sliders: Sequence[Slider]) -> tuple[str, Any] | None:
    """(field, what it asks for) after a handle was moved or a box ticked; None for anything else.

    What is asked is a range, no value, or either of them; None where the slider leaves everything in.
    """
    data: dict[str, Any] = event._data if isinstance(event._data, dict) else {}
    slider = next((one for one in sliders if one.field == data.get("field")), None)
    low, high = data.get("low"), data.get("high")
    if slider is None or not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    bounds = {}
    if low > slider.low:
        bounds["gte"] = slider.bound(low, up=False)
    if high < slider.high:
        bounds["lte"] = slider.bound(high, up=True)
    without = [None] if data.get("without") is True else []
    wanted = [*([bounds] if bounds else []), *without]
    return slider.field, wanted or None


def sliders_html(sliders: Sequence[Slider], chosen: Mapping[str, Any]) -> str:
    """All sliders, set to what is chosen."""
    each = [_html(slider, chosen.get(slider.field) or []) for slider in sliders]
    first, more = "".join(each[:FIRST_SLIDERS]), "".join(each[FIRST_SLIDERS:])
    return first + (f"<details><summary>More numbers and dates</summary>{more}</details>" if more else "")


def _html(slider: Slider, wanted: Sequence[Any]) -> str:
    bounds: Mapping[str, Any] = next((one for one in wanted if isinstance(one, Mapping)), {})
    low = slider.place(bounds["gte"]) if "gte" in bounds else slider.low
    high = slider.place(bounds["lte"]) if "lte" in bounds else slider.high
    name = escape(field_name(slider.field), quote=True)
    unit = slider.kind if slider.kind != "time" else "day" if slider.step >= _DAY else "minute"
    step = slider.step or "any"
    frame = f'min="{slider.low:.17g}" max="{slider.high:.17g}" step="{step}"'
    ends = "".join(
        f'<input type="range" {frame} value="{at:.17g}" aria-label="{name} {word}" class="{word}">'
        for word, at in (("from", low), ("to", high))
    )
    ticked = " checked" if None in wanted else ""
    without = (
        f'<label><input type="checkbox"{ticked}> {value_words(None)} ({slider.without:,})</label>'
        if slider.without
        else ""
    )
    return (
        f'<fieldset class="range" data-field="{escape(slider.field, quote=True)}" data-unit="{unit}">'
        f"<legend>{sentence(name)}</legend><output></output>"
        f'<div class="track">{ends}</div>{without}</fieldset>'
    )
