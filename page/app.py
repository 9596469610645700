"""The whole page: a line with the open collection, and a tab for each thing that can be done with it."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from page.api.endpoints import add_endpoints
from page.components import collection_picker
from page.library import Library
from page.state import MAP, SEARCH, WHY, Shared
from page.tabs import (
    collections as collections_tab,
)
from page.tabs import (
    compare as compare_tab,
)
from page.tabs import (
    map as map_tab,
)
from page.tabs import (
    recommend as recommend_tab,
)
from page.tabs import (
    search as search_tab,
)
from page.tabs import (
    why as why_tab,
)
from page.uploads import UploadsOnly
from page.visitors import Visitors, is_counted
from pipeline.errors import SimileError

__all__ = ["MAX_WAITING", "TABS", "PublicBlocks", "build"]

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


MAX_WAITING = 64  # events in the queue; at a few a second the last one waits about half a minute
FULL = "too many people are searching right now; try again in a few seconds"


class PublicBlocks(UploadsOnly):
    """Counts searches, and says in a sentence that the queue is full."""

    def __init__(self, *args: Any, visitors: Visitors | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._visitors = visitors or Visitors()

    async def process_api(  # type: ignore[override]
        self, block_fn: Any, inputs: list[Any], state: Any = None, request: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Refuses a search that is one too many; everything else goes on as it was."""
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        if is_counted(function.fn):
            one = request[0] if isinstance(request, list) and request else request
            client = getattr(one, "client", None)
            session = kwargs.get("session_hash") or getattr(one, "session_hash", None)
            try:
                self._visitors.admit(getattr(client, "host", None), session)
            except SimileError as error:
                raise gr.Error(str(error), print_exception=False) from None
        return await super().process_api(block_fn, inputs, state, request, **kwargs)

    def queue(self, *args: Any, **kwargs: Any) -> "PublicBlocks":
        """Gradio's queue, whose refusal people understand."""
        super().queue(*args, **kwargs)
        push = self._queue.push

        async def polite(*args: Any, **kwargs: Any) -> Any:
            done, said, state = await push(*args, **kwargs)
            return done, FULL if state == "queue_full" else said, state

        self._queue.push = polite  # type: ignore[method-assign]
        return self
