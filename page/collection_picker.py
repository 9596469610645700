"""The one choice that all tabs share: which collection is open. New ones appear while the page is open."""

import logging
from typing import Any

import gradio as gr

from page.library import Library
from pipeline.errors import SimileError

__all__ = ["connect", "picker"]

_REFRESH_SECONDS = 5
log = logging.getLogger("simile")


def picker(library: Library) -> gr.Dropdown:
    """Titles of the collections that exist now."""
    titles = library.titles()
    return gr.Dropdown(
        titles,
        value=titles[0][1] if titles else None,
        label="Collection",
        container=False,
        min_width=160,
        elem_id="collection",
    )


def connect(page: gr.Blocks, library: Library, collection: gr.Dropdown) -> None:
    """Looks every few seconds which collections there are."""
    known = gr.State(library.names())

    def refresh(names_before: list[str], chosen: str | None) -> tuple[Any, Any]:
        try:
            names = library.names()
            if names == names_before:
                return gr.skip(), gr.skip()
            kept = chosen if chosen in names else (names[0] if names else None)
            return gr.update(choices=library.titles(), value=kept), names
        except Exception as error:
            if not isinstance(error, SimileError):
                log.exception("collections cannot be listed")
            return gr.skip(), gr.skip()

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
    page.load(refresh, [known, collection], [collection, known], **quiet)
    gr.Timer(_REFRESH_SECONDS).tick(refresh, [known, collection], [collection, known], **quiet)
