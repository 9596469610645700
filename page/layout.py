"""The whole page: a line with the open collection, and a tab for each thing that can be done with it."""

from collections.abc import Callable

import gradio as gr

from page import collection_picker, search_tab
from page.handlers import endpoint
from page.library import Library
from page.shared import SEARCH, Shared
from page.uploads import UploadsOnly

__all__ = ["TABS", "build"]

_CLEAN_EVERY, _KEEP_FOR = 3600, 86400  # seconds

TABS: list[tuple[str, str, Callable[[Shared, gr.Tab], None]]] = [
    ("Search", SEARCH, search_tab.build),
]


def build(library: Library) -> gr.Blocks:
    """The page, ready to be launched."""
    with UploadsOnly(
        title="Simile: images that look like an image",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(_CLEAN_EVERY, _KEEP_FOR),
    ) as page:
        with gr.Row(elem_id="top"):
            gr.HTML(
                "<h1>Simile</h1><p>Drop in a picture and see the ones that look like it.</p>",
                elem_id="masthead",
            )
            collection = collection_picker.picker(library)
        query, request, pair = gr.State(), gr.State(), gr.State()
        with gr.Tabs(elem_id="tabs") as tabs:
            shared = Shared(library, page, tabs, collection, query, request, pair)
            for title, name, build_tab in TABS:
                with gr.Tab(title, id=name) as tab:
                    build_tab(shared, tab)
        collection_picker.connect(page, library, collection)
        gr.api(endpoint(library), api_name="search")
    page.queue(max_size=64, default_concurrency_limit=2)
    return page
