"""What a visitor sees first: which collections there are, with pictures of each, and how a search works."""

import logging
from html import escape
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import card
from page.components.source_words import source_words
from page.theme import script
from pipeline.errors import SimileError
from pipeline.search import Collection

__all__ = ["chosen_start", "start_area", "start_html"]

_MOST = 8  # collections that have a card; all of them are in the box at the top
_THUMBNAILS = 4  # pictures of each
_HOW = """<details class="how"><summary>How it works</summary><ol>
<li><b>Picture → numbers.</b> A neural network turns your picture into a list of numbers (a vector). Pictures
that look alike get similar numbers.</li>
<li><b>Neighbours.</b> Your numbers are compared with those of every picture here, and the nearest ones are
shown.</li>
<li><b>How near.</b> “Top 2%” means: nearer to your picture than 98 of 100 random pairs here are to
each other. “Why?” shows which parts of two pictures made them similar.</li></ol></details>"""
log = logging.getLogger("simile")


def start_area() -> gr.HTML:
    """The component; its value is of `start_html`, and `chosen_start` reads its `click` event."""
    return gr.HTML("", elem_id="start", js_on_load=script("start.js"), apply_default_css=False)


def chosen_start(event: gr.EventData) -> str | None:
    """What was pressed: `surprise`, or `collection:NAME`; None for anything that the area does not send."""
    data: dict[str, Any] = event._data if isinstance(event._data, dict) else {}
    chosen = data.get("chosen")
    return chosen if isinstance(chosen, str) else None


def start_html(library: CollectionLibrary, opened: str) -> str:
    """A card for each collection, and what can be done."""
    names = [name for _, name in library.titles()][:_MOST]
    cards = "".join(_card(library, name, name == opened) for name in names)
    return (
        f'<ul class="starts">{cards}</ul><div class="row"><button type="button" class="surprise" '
        f'data-chosen="surprise">Surprise me</button>{_HOW}</div>'
    )


def _card(library: CollectionLibrary, name: str, is_open: bool) -> str:
    try:
        found = library.open(name)
        shown = [card(hit, name, pictures=library.pictures) for hit in found.examples(_THUMBNAILS)]
    except SimileError as error:
        log.warning("'%s' has no card: %s", name, error)
        return ""
    images = "".join(f'<img src="{escape(one.url, quote=True)}" alt="" decoding="async">' for one in shown)
    return (
        f'<li><button type="button" data-chosen="collection:{escape(name, quote=True)}" '
        f'aria-pressed="{str(is_open).lower()}"><span class="images">{images}</span>'
        f"<b>{escape(found.title)}</b><span>{escape(_sentence(found))}</span></button></li>"
    )


def _sentence(found: Collection) -> str:
    """`600 pictures from the bundled samples of WikiArt. Credit: …`"""
    credit = f" {found.credit}" if found.credit else ""
    return f"{found.counted} pictures from {source_words(found)}.{credit}"
