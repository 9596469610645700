"""A selection of hits: the bar with what can be done with it, and what a browser says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from page.components.cards import Card
from page.theme import script

__all__ = ["Selected", "selected_in", "selection_bar"]

FOR_ALL = {"export": "Download", "from": "Search from these"}
FOR_THE_OWNER = {"tag": "Tag", "untag": "Remove the tag", "delete": "Delete"}


@dataclass(frozen=True)
class Selected:
    """What shall be done with some cards; `tag` is the text beside the buttons."""

    action: str
    cards: list[Card]
    tag: str = ""


def selection_bar(edits: bool) -> gr.HTML:
    """The component; `selected_in` reads its `click` event.

    Args:
        edits: with the buttons that change the collection.
    """
    return gr.HTML(
        _html(edits), elem_id="selection", js_on_load=script("selection.js"), apply_default_css=False
    )


def _html(edits: bool) -> str:
    def button(action: str, words: str, kind: str = "") -> str:
        return f'<button type="button" data-do="{action}" class="{kind}">{words}</button>'

    acts = "".join(button(*each) for each in FOR_ALL.items())
    if edits:
        acts += '<input data-part="tag" type="text" maxlength="100" placeholder="a tag" aria-label="Tag">'
        acts += "".join(
            button(action, words, "danger" if action == "delete" else "")
            for action, words in FOR_THE_OWNER.items()
        )
    return (
        '<div class="selection" data-part="bar" role="group" aria-label="Selection" hidden>'
        f"{button('all', 'Select all hits')}"
        '<span data-part="count" role="status"></span>'
        f'<span data-part="some" hidden>{button("none", "Select none")}{acts}</span></div>'
    )


def selected_in(event: gr.EventData, cards: Sequence[Card]) -> Selected | None:
    """The cards that are meant, in their order; None for anything that the bar does not send."""
    data: dict[str, Any] = event._data if isinstance(event._data, dict) else {}
    action, indexes, tag = data.get("action"), data.get("indexes"), data.get("tag")
    if action not in (*FOR_ALL, *FOR_THE_OWNER) or not isinstance(indexes, list) or not isinstance(tag, str):
        return None
    wanted = {at for at in indexes if type(at) is int and 0 <= at < len(cards)}
    return Selected(action, [cards[at] for at in sorted(wanted)], tag) if wanted else None
