"""The choice of the collection, which all tabs share. New collections appear while the page is open."""

import logging
from collections.abc import Sequence
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from pipeline.errors import SimileError

__all__ = ["NOTHING_YET", "connect", "picker"]

NOTHING_YET = """<section class="empty"><h2>There is no collection yet</h2>
<p>This indexes the bundled samples, photographs and paintings, in about a minute:</p>
<pre><code>python -m ray_jobs.samples</code></pre>
<p>and this your own pictures, with <code>source:</code> and <code>collection:</code> in the YAML:</p>
<pre><code>python -m ray_jobs.index my.yaml</code></pre>
<p>Run it with the same <code>SIMILE_HOME</code> or <code>QDRANT_URL</code> as this page. The page opens by
itself once there is a collection.</p></section>"""

_REFRESH_SECONDS = 5
log = logging.getLogger("simile")


def picker(library: CollectionLibrary) -> gr.Dropdown:
    """Titles of the collections that exist now."""
    titles = library.titles()
    box = gr.Dropdown(
        titles,
        value=titles[0][1] if titles else None,
        label="Collection",
        min_width=160,
        elem_id="collection",
        visible=_shown(titles),
    )
    # Gradio refuses what was not offered when the page was made; the handlers look names up.
    box.preprocess = lambda payload: payload if isinstance(payload, str) else None  # type: ignore[method-assign]
    return box


def _shown(collections: Sequence[object]) -> Any:
    """Hidden while there is no collection, but part of the page, so that its `change` event can fire."""
    return True if collections else "hidden"


def connect(
    page: gr.Blocks, library: CollectionLibrary, collection: gr.Dropdown, nothing_yet: gr.HTML, tabs: gr.Tabs
) -> None:
    """Lists the collections every few seconds; while there is none, `nothing_yet` replaces `tabs`."""
    known = gr.State(library.names())
    outputs = [collection, known, nothing_yet, tabs]

    def refresh(names_before: list[str], chosen: str | None) -> tuple[Any, ...]:
        try:
            names = library.names()
            if names == names_before:
                return (gr.skip(),) * len(outputs)
            kept = chosen if chosen in names else (names[0] if names else None)
            choice = gr.update(choices=library.titles(), value=kept, visible=_shown(names))
            return choice, names, gr.update(visible=not names), gr.update(visible=bool(names))
        except Exception as error:
            if not isinstance(error, SimileError):
                log.exception("collections cannot be listed")
            return (gr.skip(),) * len(outputs)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
    page.load(refresh, [known, collection], outputs, **quiet)
    gr.Timer(_REFRESH_SECONDS).tick(refresh, [known, collection], outputs, **quiet)
