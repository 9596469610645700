"""The endpoint `/search`: a search from an uploaded file, for programs that use gradio_client."""

from collections.abc import Callable
from typing import Any

from gradio.data_classes import FileData

from page.api.arguments import settings_of
from page.api.filter_values import with_known_values
from page.api.search import hit_as_json
from page.collection_library import CollectionLibrary
from page.uploads import read_upload, uploaded_path
from pipeline.search import Example

__all__ = ["UPLOAD_ENDPOINT", "search_upload"]

UPLOAD_ENDPOINT = "search"  # no MCP tool, because a model cannot upload a file


def search_upload(library: CollectionLibrary) -> Callable[..., dict[str, Any]]:
    """The function behind the endpoint."""

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
        """Find the pictures of a collection that look like an uploaded one, nearest first.

        Args:
            image: the upload: `handle_file(path)`.
        """
        settings = settings_of(metric, k, filters, exact, encoder or "", offset)
        found = library.open(collection)
        known = with_known_values(found, settings)
        answer = found.find([Example(picture=read_upload(uploaded_path(image)))], settings=known)
        return {
            "hits": [hit_as_json(hit, found.name) for hit in answer.hits],
            **answer.times,
            "collection": found.name,
            "encoder": encoder or found.encoders[0],
            "metric": metric,
        }

    return search
