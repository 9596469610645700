"""The whole page: a line with the open collection, and a tab for each thing that can be done with it."""

from collections.abc import Callable

import gradio as gr

from page.api.endpoints import add_endpoints
from page.collection_library import CollectionLibrary
from page.components import collection_picker
from page.public_blocks import PublicBlocks
from page.rate_limit import RateLimit
from page.shared_state import MAP, SEARCH, WHY, Shared
from page.tabs import collections, compare, insights, map, recommend, search, why
from page.theme import script

__all__ = ["MAX_WAITING", "TABS", "build"]

_INSIGHTS = "insights"  # shown where there are some
TABS: list[tuple[str, str, Callable[[Shared, gr.Tab], None]]] = [
    ("Search", SEARCH, search.build),
    ("Recommend", "recommend", recommend.build),
    ("Map", MAP, map.build),
    ("Why", WHY, why.build),
    ("Compare", "compare", compare.build),
    ("Insights", _INSIGHTS, insights.build),
    ("Collections", "collections", collections.build),
]
_SKIP = '<a class="skip" href="#status">Skip to the results</a>'
MAX_WAITING = 64  # events in the queue; at a few a second the last one waits about half a minute


def build(library: CollectionLibrary, rate_limit: RateLimit | None = None) -> PublicBlocks:
    """The page, ready to be launched."""
    with PublicBlocks(
        rate_limit=rate_limit,
        title="Simile: images that look like an image",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(3600, 86_400),  # seconds; of files that Gradio copies. Uploads: page/disk_budget.py
    ) as page:
        add_endpoints(library)  # first, because Gradio gives a name to the first event that asks for it
        gr.HTML(
            '<a class="skip" href="#status">Skip to the results</a>',
            elem_id="skip",
            js_on_load=script("keys.js"),
        )
        with gr.Row(elem_id="top"):
            gr.HTML("<h1>Simile</h1><p>Images that look like an image.</p>", elem_id="masthead")
            collection = collection_picker.picker(library)
        has_collections = bool(library.names())
        nothing_yet = gr.HTML(
            collection_picker.NOTHING_YET, visible=not has_collections, elem_id="nothing-yet"
        )
        states = {name: gr.State() for name in ("query", "searched", "request", "pair")}
        states["hits"] = gr.State([])
        with gr.Tabs(elem_id="tabs", visible=has_collections) as tabs:
            shared = Shared(
                library=library,
                uploads=page.own_uploads,
                page=page,
                tabs=tabs,
                collection=collection,
                **states,
            )
            for title, name, build_tab in TABS:
                with gr.Tab(title, id=name, elem_id=f"tab-{name}", visible=name != _INSIGHTS) as tab:
                    build_tab(shared, tab)
        gr.HTML(
            "<p>Only you see the pictures that you upload, unless you include one in a link. They join no "
            "collection, and they are deleted within a day.</p>",
            elem_id="promise",
        )
        collection_picker.connect(page, library, collection, nothing_yet, tabs)
    # Without api_open=False a program could pass by the queue.
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=2, api_open=False)
    return page
