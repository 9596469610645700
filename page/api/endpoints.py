"""The named endpoints of the page, over HTTP and MCP: which there are, and how they say what went wrong."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from page.api.argument_types import checked_arguments
from page.api.arguments import described
from page.api.colours import ColourEndpoints
from page.api.edit import EditEndpoints
from page.api.explain_map_compare import HitEndpoints
from page.api.found_by_jobs import JobEndpoints
from page.api.search import SearchEndpoints
from page.api.search_everywhere import EverywhereEndpoints
from page.api.search_upload import UPLOAD_ENDPOINT, search_upload
from page.collection_library import CollectionLibrary
from page.rate_limit import counts_as_search
from page.run_search import FAILED
from pipeline.errors import SimileError
from pipeline.printable import printable_lines

__all__ = ["add_endpoints"]

log = logging.getLogger("simile")


def add_endpoints(library: CollectionLibrary) -> None:
    """Makes the endpoints; called inside the Blocks."""
    gr.api(_explained(search_upload(library)), api_name=UPLOAD_ENDPOINT)
    searches, hits, jobs = SearchEndpoints(library), HitEndpoints(library), JobEndpoints(library)
    colours, everywhere = ColourEndpoints(library, searches), EverywhereEndpoints(library)
    for function in (
        searches.collections,
        searches.facets,
        searches.search_image,
        searches.search_text,
        searches.search_by_id,
        colours.search_colours,
        colours.palette,
        searches.search_by_vector,
        everywhere.search_everywhere,
        searches.recommend,
        searches.export,
        hits.explain,
        hits.map,
        hits.compare,
        jobs.duplicates,
        jobs.insights,
    ):
        gr.api(_explained(function), api_name=function.__name__)
    edits = EditEndpoints(library)
    for change in (edits.tag, edits.delete):  # of a page that only reads they say so, and nobody is told
        seen: Any = "public" if library.edits else "undocumented"
        gr.api(_explained(change), api_name=change.__name__, api_visibility=seen)


def _explained(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The same endpoint, counted as a search, with a complete docstring and sentences for errors."""

    @counts_as_search
    @wraps(function)
    def explained(*args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return function(**checked_arguments(function, args, kwargs))
        except SimileError as error:
            raise gr.Error(printable_lines(str(error)), print_exception=False) from None
        except Exception:
            log.exception("/%s failed", function.__name__)
            raise gr.Error(FAILED, print_exception=False) from None

    explained.__doc__ = described(function)
    return explained
