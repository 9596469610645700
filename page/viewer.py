"""The larger view of a card: its picture, what is known about it, and what can be done with it."""

from collections.abc import Sequence
from html import escape

import gradio as gr

from page.assets import script
from page.cards import Card, picture_url
from page.library import Library
from page.text import Verbatim, credit, fields, sentence, unusual_words

__all__ = ["step_of", "viewer", "viewer_action", "viewer_html"]

ACTIONS = ("from", "like", "dislike", "why", "next", "previous")
_BUTTONS = {
    "from": ("Search from this", "primary"),
    "like": ("♥ More like this", ""),
    "dislike": ("✕ Less like this", ""),
    "why": ("Why?", ""),
}


def viewer(elem_id: str) -> gr.HTML:
    """The component; its value is the inside of a dialog, empty when that is closed."""
    return gr.HTML("", elem_id=elem_id, html_template="<i hidden></i>", js_on_load=script("viewer.js"))


def viewer_action(event: gr.EventData) -> str | None:
    """What was asked for in the dialog."""
    data = event._data if isinstance(event._data, dict) else {}
    return data.get("action") if data.get("action") in ACTIONS else None


def step_of(action: str, index: int, count: int) -> int:
    """The index after `next` or `previous`; the ends stay where they are."""
    return max(0, min(count - 1, index + {"next": 1, "previous": -1}.get(action, 0)))


def viewer_html(library: Library, cards: Sequence[Card], index: int, actions: Sequence[str]) -> str:
    """The dialog for card number `index`."""
    shown = cards[index]
    found = library.open(shown.collection)
    hit = found.get(shown.id)
    about = hit.payload.get("_simile") or {}
    rows = [("Closeness", shown.closeness)] if shown.closeness else []
    if shown.unusual is not None:
        rows.append(("How rare", sentence(unusual_words(shown.unusual))))
    rows += [*hit.payload.items()]
    if about.get("width") and about.get("height"):
        rows.append(("Original size", f"{about['width']} × {about['height']}"))
    rows.append(("Place in its source", Verbatim(", ".join(about.get("places") or []))))
    if shown.copies:
        rows.append(("Near-copies", str(shown.copies)))
    reason = f'<p class="reason">{escape(shown.reason)}</p>' if shown.reason else ""
    title = escape(shown.label or found.title, quote=True)
    return (
        f'<img src="{escape(picture_url(shown.picture), quote=True)}" alt="{title}">'
        f'<div class="facts"><h3>{title}</h3>{reason}{fields(rows)}'
        f"{credit(about.get('credit') or found.credit)}"
        f'<div class="buttons">{"".join(_button(action) for action in actions)}</div></div>'
        + _step("previous", "Previous picture", "‹", index == 0)
        + _step("next", "Next picture", "›", index == len(cards) - 1)
        + '<button type="button" class="close" data-action="close" aria-label="Close">✕</button>'
    )


def _button(action: str) -> str:
    text, kind = _BUTTONS[action]
    return f'<button type="button" class="act {kind}" data-action="{action}">{text}</button>'


def _step(action: str, label: str, sign: str, disabled: bool) -> str:
    off = " disabled" if disabled else ""
    return (
        f'<button type="button" class="step {action}" data-action="{action}" aria-label="{label}"{off}>{sign}'
        "</button>"
    )
