"""What other programs and models call: every action by name, with plain values in and out.

Values are strings, numbers and lists of strings only. A nested object could describe a file, and what calls
for a model over MCP would open a file of that description on this machine.
"""

import base64
import binascii
import logging
import uuid
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import gradio as gr

from page.endpoint import MAX_BYTES, parsed_filters, plain, search_endpoint
from page.library import Library
from page.searching import FAILED, check
from page.visitors import is_search
from pipeline.errors import ImageError, SimileError
from pipeline.search import Collection, Example, Settings

__all__ = ["UPLOAD_TOOL", "Programs", "add_endpoints", "picture_bytes"]

UPLOAD_TOOL = "search"  # takes an upload, which a model cannot make: no MCP tool
_MOST_VALUES = 200
log = logging.getLogger("simile")


def add_endpoints(library: Library) -> None:
    """Makes the endpoints; called inside the Blocks."""
    gr.api(search_endpoint(library), api_name=UPLOAD_TOOL)
    do = Programs(library)
    for function in (do.collections, do.facets, do.search_image, do.search_by_id, do.recommend):
        gr.api(_explained(function), api_name=function.__name__)


class Programs:
    """Over the collections of one library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def collections(self) -> dict[str, Any]:
        """List the image collections that can be searched. Call this first: the other tools need a name.

        Returns:
            For each collection its name, title, number of pictures, live version, encoders (the first is
            the default), fields that can be filtered, and whom to credit.
        """
        return {"collections": [_described(self._library.open(name)) for name in self._library.names()]}

    @is_search
    def facets(self, collection: str, field: str, filters: str = "{}") -> dict[str, Any]:
        """Count how many pictures of a collection have each value of a field, most frequent first.

        Use it to learn which values a filter may have.

        Args:
            collection: name of a collection, from the tool `collections`.
            field: one of the collection's filter fields.
            filters: JSON object that narrows what is counted, such as {"style": ["Impressionism"]}.
        """
        found = self._library.open(collection)
        counts = found.facets(field, parsed_filters(filters), limit=_MOST_VALUES)
        return {"field": field, "values": [{"value": value, "count": count} for value, count in counts]}

    @is_search
    def search_image(
        self,
        image: str,
        collection: str,
        metric: str = "cosine",
        k: int = 10,
        filters: str = "{}",
        exact: bool = False,
        encoder: str = "",
        thumbnails: bool = False,
    ) -> dict[str, Any]:
        """Find the pictures of a collection that look like an image, nearest first.

        Args:
            image: the picture's bytes (JPEG, PNG, WebP) as base64, or as a data URL such as
                data:image/png;base64,... Addresses and paths are refused.
            collection: name of a collection, from the tool `collections`.
            metric: cosine (finer) or hamming (faster).
            k: how many pictures, 1 to 100.
            filters: JSON object that hits must satisfy, such as {"artist": ["Claude Monet"]}.
            exact: compare with every picture instead of the index.
            encoder: one of the collection's encoders; empty for its default.
            thumbnails: also return each hit's picture as a data URL, about 10 kB each.
        """
        picture = Example(picture=picture_bytes(image))
        settings = _settings(metric, k, filters, exact, encoder)
        return self._found(collection, [picture], [], settings, thumbnails)

    @is_search
    def search_by_id(
        self,
        id: str,
        collection: str,
        metric: str = "cosine",
        k: int = 10,
        filters: str = "{}",
        exact: bool = False,
        encoder: str = "",
        thumbnails: bool = False,
    ) -> dict[str, Any]:
        """Find the pictures of a collection that look like one of its own pictures, which is left out.

        Args:
            id: the `id` of an earlier hit in the same collection.
            collection: name of a collection, from the tool `collections`.
            metric: cosine (finer) or hamming (faster).
            k: how many pictures, 1 to 100.
            filters: JSON object that hits must satisfy, such as {"artist": ["Claude Monet"]}.
            exact: compare with every picture instead of the index.
            encoder: one of the collection's encoders; empty for its default.
            thumbnails: also return each hit's picture as a data URL, about 10 kB each.
        """
        settings = _settings(metric, k, filters, exact, encoder)
        return self._found(collection, [_stored(id)], [], settings, thumbnails)

    @is_search
    def recommend(
        self,
        likes: list[str],
        collection: str,
        dislikes: list[str] = [],  # noqa: B006 (Gradio reads the default; nothing changes it)
        k: int = 10,
        filters: str = "{}",
        combine: str = "any",
        diversity: float = 0.0,
        thumbnails: bool = False,
    ) -> dict[str, Any]:
        """Recommend pictures near those that are liked and away from those that are disliked.

        Args:
            likes: ids of earlier hits in the same collection.
            collection: name of a collection, from the tool `collections`.
            dislikes: ids of hits to stay away from.
            k: how many pictures, 1 to 100.
            filters: JSON object that hits must satisfy, such as {"artist": ["Claude Monet"]}.
            combine: any (near one of the likes) or average (near all of them).
            diversity: 0 (nearest) to 1 (as unlike each other as can be).
            thumbnails: also return each hit's picture as a data URL, about 10 kB each.
        """
        settings = _settings("cosine", k, filters, combine=combine, diversity=float(diversity))
        liked, disliked = ([_stored(one) for one in ids or []] for ids in (likes, dislikes))
        return self._found(collection, liked, disliked, settings, thumbnails)

    def _found(
        self,
        name: str,
        likes: Sequence[Example],
        dislikes: Sequence[Example],
        settings: Settings,
        thumbnails: bool,
    ) -> dict[str, Any]:
        found = self._library.open(name)
        answer = found.find(likes, dislikes, settings)
        hits = [plain(hit) for hit in answer.hits]
        if not thumbnails:
            for hit in hits:
                del hit["thumbnail"]
        return {"hits": hits, "more": answer.more, **answer.times, "collection": found.name}


def picture_bytes(text: str) -> bytes:
    """The bytes of a picture in base64 or a data URL.

    Raises:
        ImageError: it is something else, such as an address or a path, or too large.
    """
    head, comma, body = text.partition(",") if text[:5].lower() == "data:" else ("", "", text)
    if comma and not head.lower().endswith(";base64"):
        raise ImageError("the data URL is not in base64; write data:image/png;base64,…")
    if len(body) > MAX_BYTES * 4 / 3 + 4:
        raise ImageError(f"the picture is larger than {MAX_BYTES // 1_000_000} MB; send a smaller one")
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ImageError(
            "the picture is not base64; send its bytes in base64, or the id of a hit to search_by_id "
            "(addresses and paths are not read)"
        ) from None


def _stored(point_id: str) -> Example:
    try:
        return Example(id=str(uuid.UUID(point_id)))
    except (ValueError, AttributeError, TypeError):
        raise SimileError(f"{str(point_id)[:60]!r} is no id; take the `id` of an earlier hit") from None


def _described(found: Collection) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": found.title,
        "pictures": found.count,
        "version": found.version,
        "encoders": found.encoders,
        "filters": found.filters,
        "credit": found.credit,
    }


def _settings(
    metric: str, k: int, filters: str, exact: bool = False, encoder: str = "", **others: Any
) -> Settings:
    check(metric, k)
    wanted = {"filters": parsed_filters(filters), "exact": bool(exact), "encoder": encoder or None, **others}
    return Settings(metric, int(k), **wanted)  # type: ignore[arg-type]


def _explained(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The same, whose errors are sentences."""

    @wraps(function)
    def explained(*args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return function(*args, **kwargs)
        except SimileError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception:
            log.exception("/%s failed", function.__name__)
            raise gr.Error(FAILED, print_exception=False) from None

    return explained
