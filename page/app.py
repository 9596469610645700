"""The whole page: a line with the open collection, and a tab for each thing that can be done with it."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from page.api.endpoints import add_endpoints
from page.collection_library import CollectionLibrary
from page.components import collection_picker
from page.metrics import REFUSALS, SEARCHES
from page.rate_limit import RateLimit, is_counted
from page.shared_state import MAP, SEARCH, WHY, Shared
from page.tabs import collections, compare, map, recommend, search, why
from page.uploads import UploadsOnly
from pipeline.errors import SimileError

__all__ = ["FULL", "MAX_WAITING", "TABS", "PublicBlocks", "build"]

TABS: list[tuple[str, str, Callable[[Shared, gr.Tab], None]]] = [
    ("Search", SEARCH, search.build),
    ("Recommend", "recommend", recommend.build),
    ("Map", MAP, map.build),
    ("Why", WHY, why.build),
    ("Compare", "compare", compare.build),
    ("Collections", "collections", collections.build),
]
MAX_WAITING = 64  # events in the queue; at a few a second the last one waits about half a minute
FULL = "too many people are searching right now; try again in a few seconds"
_CLEAN_EVERY, _KEEP_FOR = 3600, 86400  # seconds; of uploaded and shown pictures


def build(library: CollectionLibrary, rate_limit: RateLimit | None = None) -> gr.Blocks:
    """The page, ready to be launched."""
    with PublicBlocks(
        rate_limit=rate_limit,
        title="Simile: images that look like an image",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(_CLEAN_EVERY, _KEEP_FOR),
    ) as page:
        add_endpoints(library)  # first, because Gradio gives a name to the first event that asks for it
        with gr.Row(elem_id="top"):
            gr.HTML("<h1>Simile</h1><p>Images that look like an image.</p>", elem_id="masthead")
            collection = collection_picker.picker(library)
        has_collections = bool(library.names())
        nothing_yet = gr.HTML(
            collection_picker.NOTHING_YET, visible=not has_collections, elem_id="nothing-yet"
        )
        states = {name: gr.State() for name in ("query", "searched", "request", "pair")}
        with gr.Tabs(elem_id="tabs", visible=has_collections) as tabs:
            shared = Shared(library=library, page=page, tabs=tabs, collection=collection, **states)
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


class PublicBlocks(UploadsOnly):
    """Blocks for a public page: limits how often each visitor searches, and says when the queue is full."""

    def __init__(self, *args: Any, rate_limit: RateLimit | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rate_limit = rate_limit or RateLimit()

    async def process_api(  # type: ignore[override]
        self, block_fn: Any, inputs: list[Any], state: Any = None, request: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Refuses a search that exceeds the visitor's limit; all other events pass."""
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        if not is_counted(function.fn):
            return await super().process_api(block_fn, inputs, state, request, **kwargs)
        one = request[0] if isinstance(request, list) and request else request
        client = getattr(one, "client", None)
        session = kwargs.get("session_hash") or getattr(one, "session_hash", None)
        try:
            self._rate_limit.admit(getattr(client, "host", None), session)
        except SimileError as error:
            REFUSALS.labels("too_many_searches").inc()
            raise gr.Error(str(error), print_exception=False) from None
        with SEARCHES.labels(function.api_name if function.api_visibility == "public" else "page").time():
            return await super().process_api(block_fn, inputs, state, request, **kwargs)

    def queue(self, *args: Any, **kwargs: Any) -> "PublicBlocks":
        """Gradio's queue, with a refusal in plain words when it is full."""
        super().queue(*args, **kwargs)
        push = self._queue.push

        async def polite(*args: Any, **kwargs: Any) -> Any:
            done, said, state = await push(*args, **kwargs)
            if state == "queue_full":
                REFUSALS.labels("queue_full").inc()
                said = FULL
            return done, said, state

        self._queue.push = polite  # type: ignore[method-assign]
        return self
