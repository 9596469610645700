"""How near hits have to be: a slider with the number of pictures that are left at each setting."""

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from page.theme import script
from pipeline.search import MAX_K

__all__ = ["STEPS", "chosen_step", "closeness_html", "closeness_slider"]

# Shares of random pairs that are as near, in percent; 0: hits may be as far as any.
STEPS = (0, 20, 10, 5, 2, 1, 0.1)


def closeness_slider() -> gr.HTML:
    """The component; its value is of `closeness_html`, and `chosen_step` reads its `click` event."""
    return gr.HTML("", elem_id="closeness", js_on_load=script("closeness.js"), apply_default_css=False)


def chosen_step(event: gr.EventData) -> float | None:
    """The setting after the slider was moved; None for anything that it does not send."""
    data: dict[str, Any] = event._data if isinstance(event._data, dict) else {}
    at = data.get("step")
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < len(STEPS):
        return None
    return STEPS[at]


def closeness_html(chosen: float, counts: Sequence[int] = ()) -> str:
    """The slider.

    Args:
        chosen: one of `STEPS`.
        counts: how many pictures are left at each step but the first; none where they are not known.
    """
    words = [_words(step, counts[at - 1] if at and counts else None) for at, step in enumerate(STEPS)]
    at = STEPS.index(chosen)
    said = escape("|".join(words), quote=True)
    return (
        f'<label class="closeness" data-words="{said}"><span class="name">Closeness</span>'
        f'<output>{escape(words[at])}</output><input type="range" min="0" max="{len(STEPS) - 1}" step="1" '
        f'value="{at}" aria-label="Closeness" aria-valuetext="{escape(words[at], quote=True)}"></label>'
    )


def _words(step: float, count: int | None) -> str:
    if not step:
        return "Any"
    if count is None:
        return f"Top {step:g}%"
    many = f"{count:,}{'+' if count >= MAX_K else ''}"
    return f"Top {step:g}%: {many} picture{'s'[: count != 1]}"
