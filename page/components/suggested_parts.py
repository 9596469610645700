"""Dots over the picture of a query: a tap on one searches with that part of it."""

import hashlib
import json
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr
from cachetools import LRUCache

from page.collection_library import CollectionLibrary
from page.components.cards import url_of
from page.query_bytes import bytes_of
from page.shared_state import Query
from page.theme import script
from pipeline.errors import SimileError
from pipeline.search import Box
from pipeline.why.regions import suggested_regions

__all__ = ["SuggestedParts", "parts_over"]

_KEPT = 256  # pictures whose parts are remembered; so asking again costs nothing
log = logging.getLogger("simile")


def parts_over(panel: str) -> gr.HTML:
    """The component; the value of `SuggestedParts.of` is drawn over the picture of the panel `panel`."""
    return gr.HTML(
        "",
        html_template=f'<i hidden data-panel="{panel}-query"></i>',
        js_on_load=script("suggested_parts.js"),
        elem_id=f"{panel}-parts",
    )


class SuggestedParts:
    """Over the collections of one library.

    Args:
        busy: whether visitors wait for searches. Then only parts that are known already are suggested: a new
            picture passes through the network twice more, so that searches would take three times as long.
    """

    def __init__(self, library: CollectionLibrary, busy: Callable[[], bool] = lambda: False) -> None:
        self._library, self._busy = library, busy
        self._known: LRUCache[Any, list[Box]] = LRUCache(_KEPT)

    def of(self, query: Query | None, name: str | None) -> str:
        """JSON with the parts of the first picture of a query; empty where nothing is suggested."""
        if not query or not query.likes or query.likes[0].box or not name:
            return ""
        first = query.likes[0]
        try:
            regions = self._regions(bytes_of(first, self._library), name)
        except SimileError as error:
            log.info("no parts are suggested: %s", error)  # not every network can show its places
            return ""
        boxes = [[round(side, 3) for side in box] for box in regions]
        return json.dumps({"picture": url_of(first), "boxes": boxes})

    def _regions(self, data: bytes, name: str) -> list[Box]:
        found = self._library.open(name)
        key = (hashlib.sha256(data).digest(), found.version)
        if key not in self._known:
            if self._busy():
                return []
            self._known[key] = suggested_regions(found, data)
        return self._known[key]
