"""The one choice that all tabs share: which collection is open. New ones appear while the page is open."""

import logging
from collections.abc import Sequence
from typing import Any

import gradio as gr

from page.library import Library
from pipeline.errors import SimileError

__all__ = ["NOTHING_YET", "connect", "picker"]

NOTHING_YET = """<section class="empty"><h2>There is no collection yet</h2>
<p>This indexes the bundled samples, photographs and paintings, in about a minute:</p>
<pre><code>python -m ray_jobs.samples</code></pre>
<p>and this your own pictures, with <code>source:</code> and <code>collection:</code> in the YAML:</p>
<pre><code>python -m ray_jobs.index my.yaml</code></pre>
<p>Run it with the same <code>SIMILE_HOME</code> or <code>QDRANT_URL</code> as this page. The page opens by
itself when a collection is there.</p></section>"""

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
        visible=_shown(titles),
    )


def _shown(collections: Sequence[object]) -> Any:
    """Hidden where there is nothing to choose, but on the page, so that others hear of the first one."""
    return True if collections else "hidden"


def connect(
    page: gr.Blocks, library: Library, collection: gr.Dropdown, nothing_yet: gr.HTML, tabs: gr.Tabs
) -> None:
    """Looks every few seconds which collections there are; `nothing_yet` stands in for `tabs`
    while there is none."""
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
