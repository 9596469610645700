"""What other programs call: `/search`."""

import json
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from page.library import Library
from page.searching import FAILED, check
from page.uploads import read_upload, uploaded_path
from page.visitors import is_search
from pipeline.errors import SimileError
from pipeline.search import Example, Hit, Settings

__all__ = ["MAX_BYTES", "parsed_filters", "plain", "search_endpoint"]

MAX_BYTES = 20_000_000  # of one picture

log = logging.getLogger("simile")


def search_endpoint(library: Library) -> Callable[..., dict[str, Any]]:
    """The function behind `/search`."""

    @is_search
    def search(
        image: FileData,
        collection: str,
        encoder: str | None = None,
        metric: str = "cosine",
        k: int = 10,
        filters: str = "{}",
        exact: bool = False,
        offset: int = 0,
    ) -> dict[str, Any]:
        """The pictures of a collection that look like `image` (an upload: `handle_file(path)`).

        `metric` is cosine or hamming, `filters` a JSON object such as {"artist": ["Claude Monet"]}; `offset`
        of the nearest are left out, to go on after earlier hits.
        """
        try:
            check(metric, k, offset)
            found = library.open(collection)
            wanted = {"filters": parsed_filters(filters), "exact": bool(exact), "encoder": encoder}
            settings = Settings(metric, int(k), int(offset), **wanted)  # type: ignore[arg-type]
            answer = found.find([Example(picture=read_upload(uploaded_path(image)))], settings=settings)
        except SimileError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception:
            log.exception("/search failed")
            raise gr.Error(FAILED, print_exception=False) from None
        return {
            "hits": [plain(hit) for hit in answer.hits],
            **answer.times,
            "collection": found.name,
            "encoder": encoder or found.encoders[0],
            "metric": metric,
        }

    return search


def plain(hit: Hit) -> dict[str, Any]:
    """A hit as JSON."""
    return {
        "id": hit.id,
        "score": hit.score,
        "distance": hit.distance,
        "unusual": hit.unusual,
        "weak": hit.weak,
        "payload": hit.payload,
        "thumbnail": hit.data_url,
    }


def parsed_filters(filters: str | None) -> dict[str, Any] | None:
    """Filters from their JSON."""
    try:
        parsed = json.loads(filters or "{}")
    except ValueError as error:
        raise SimileError(f'filters are not JSON ({error}); write them as {{"label": ["cat"]}}') from None
    if not isinstance(parsed, dict):
        raise SimileError('filters must be a JSON object of field and values, such as {"label": ["cat"]}')
    return parsed or None
