"""The whole page: a line with the open collection, and a tab for each thing that can be done with it."""

from collections.abc import Callable

import gradio as gr

from page import (
    collection_picker,
    collections_tab,
    compare_tab,
    map_tab,
    recommend_tab,
    search_tab,
    why_tab,
)
from page.blocks import MAX_WAITING, PublicBlocks
from page.library import Library
from page.programs import add_endpoints
from page.shared import MAP, SEARCH, WHY, Shared
from page.visitors import Visitors

__all__ = ["TABS", "build"]

_CLEAN_EVERY, _KEEP_FOR = 3600, 86400  # seconds

TABS: list[tuple[str, str, Callable[[Shared, gr.Tab], None]]] = [
    ("Search", SEARCH, search_tab.build),
    ("Recommend", "recommend", recommend_tab.build),
    ("Map", MAP, map_tab.build),
    ("Why", WHY, why_tab.build),
    ("Compare", "compare", compare_tab.build),
    ("Collections", "collections", collections_tab.build),
]


def build(library: Library, visitors: Visitors | None = None) -> gr.Blocks:
    """The page, ready to be launched."""
    with PublicBlocks(
        visitors=visitors,
        title="Simile: images that look like an image",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(_CLEAN_EVERY, _KEEP_FOR),
    ) as page:
        add_endpoints(library)  # first: a name goes to whoever asks for it first
        with gr.Row(elem_id="top"):
            gr.HTML("<h1>Simile</h1><p>Images that look like an image.</p>", elem_id="masthead")
            collection = collection_picker.picker(library)
        query, searched, request, pair = gr.State(), gr.State(), gr.State(), gr.State()
        there = bool(library.names())
        nothing_yet = gr.HTML(collection_picker.NOTHING_YET, visible=not there, elem_id="nothing-yet")
        with gr.Tabs(elem_id="tabs", visible=there) as tabs:
            shared = Shared(library, page, tabs, collection, query, searched, request, pair)
            for title, name, build_tab in TABS:
                with gr.Tab(title, id=name, elem_id=f"tab-{name}") as tab:
                    build_tab(shared, tab)
        gr.HTML(
            "<p>Pictures that you upload are kept for this search only: nobody else sees them, they join no "
            "collection, and they are deleted within a day.</p>",
            elem_id="promise",
        )
        collection_picker.connect(page, library, collection, nothing_yet, tabs)
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=2)
    return page
