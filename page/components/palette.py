"""The palette that a visitor searches by: chosen colours, some to choose from, and those of the picture."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from page.rate_limit import counts_as_search
from page.shared_state import Query
from page.theme import script
from page.uploads import read_upload
from pipeline.errors import SimileError
from pipeline.images.palette import COLOUR_METHOD, MAX_COLOURS, checked_colours
from pipeline.search import Collection, colours_of

__all__ = ["chosen_colours", "palette_html", "palette_of", "palette_view", "repainted", "without_hash"]

NO_PICTURE = "Drop in a picture first, or search from one; then you can use its colours."
# To begin with, from warm to cold: a click is less work than a colour picker.
_OFFERED = {
    "#c8281e": "red",
    "#e88a2d": "orange",
    "#f2cf4a": "yellow",
    "#5f8f3a": "green",
    "#2f8f8a": "teal",
    "#2f5fb3": "blue",
    "#6b3f8f": "violet",
    "#d98aa6": "pink",
    "#7a4a2a": "brown",
    "#f4efe4": "cream",
    "#8a8a8a": "grey",
    "#141414": "black",
}


def palette_view() -> gr.HTML:
    """The component; its value is of `palette_html`, and `repainted` reads its `click` event."""
    return gr.HTML(
        "", visible=False, elem_id="palette", js_on_load=script("palette.js"), apply_default_css=False
    )


def palette_of(found: Collection, text: str) -> tuple[str, ...]:
    """The colours that a control's text names, such as `aa3311,ffeecc`; none where a collection has none.

    Raises:
        SimileError: they are no colours.
    """
    if not text or found.manifest.colours != COLOUR_METHOD:
        return ()
    return checked_colours(text.split(","))


def without_hash(colours: Sequence[str]) -> str:
    """Colours as an address holds them.

    >>> without_hash(["#AA3311", "#fec"])
    'aa3311,ffeecc'
    """
    return ",".join(one.removeprefix("#") for one in checked_colours(colours))


def chosen_colours(text: str) -> tuple[str, ...]:
    """The inverse of `without_hash`."""
    return checked_colours(text.split(",")) if text else ()


@counts_as_search
def repainted(text: str, query: Query | None, event: gr.EventData) -> tuple[Any, Any]:
    """(colours, view) after a colour was added, changed or taken away, or the picture's were taken over."""
    data: dict[str, Any] = event._data if isinstance(event._data, dict) else {}
    try:
        chosen = list(chosen_colours(text))
        action, colour, at = data.get("action"), data.get("colour"), data.get("at")
        place = at if isinstance(at, int) and not isinstance(at, bool) and 0 <= at < len(chosen) else None
        if action == "add" and isinstance(colour, str):
            # The first one makes room where there are too many.
            chosen = [*[one for one in chosen if one != colour], colour][-MAX_COLOURS:]
        elif action == "change" and isinstance(colour, str) and place is not None:
            chosen[place] = colour
        elif action == "remove" and place is not None:
            del chosen[place]
        elif action == "picture" and query and query.likes:
            first = query.likes[0]
            chosen = colours_of(read_upload(first.file), box=first.box)
        else:
            if action == "picture":
                gr.Info(NO_PICTURE)
            return gr.skip(), gr.skip()
        changed = without_hash(chosen)
    except SimileError as error:
        gr.Warning(str(error))
        return gr.skip(), gr.skip()
    return changed, palette_html(chosen_colours(changed), opened=True)


def palette_html(colours: Sequence[str], *, opened: bool = False) -> str:
    """The chosen colours, and what to choose from.

    Args:
        opened: unfolded even where nothing is chosen.
    """
    chosen = "".join(_swatch(at, colour) for at, colour in enumerate(colours))
    offered = "".join(
        f'<li><button type="button" class="swatch" style="--c:{colour}" data-add="{colour}" '
        f'aria-label="Add {name}" title="{name.capitalize()}"></button></li>'
        for colour, name in _OFFERED.items()
        if colour not in colours
    )
    another = (
        '<li><label class="swatch another" title="Any colour"><span aria-hidden="true">+</span>'
        '<input type="color" value="#336699" data-new aria-label="Add any colour"></label></li>'
    )
    return (
        f'<details class="palette"{" open" if colours or opened else ""}><summary>Colours</summary>'
        f'{f"<ul class=chosen>{chosen}</ul>" if chosen else ""}<ul class="offered">{offered}{another}</ul>'
        '<button type="button" class="quiet" data-picture>Colours of my picture</button></details>'
    )


def _swatch(at: int, colour: str) -> str:
    return (
        f'<li><label class="swatch" style="--c:{colour}"><input type="color" value="{colour}" data-at="{at}" '
        f'aria-label="Change colour {at + 1}, {colour}"></label>'
        f'<button type="button" class="away" data-remove="{at}" aria-label="Remove colour {colour}">✕'
        "</button></li>"
    )
