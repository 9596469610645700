"""What other programs and models call: every action by name, with plain values in and out (see values.py)."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from page.api.arguments import (
    box_of,
    example,
    limits,
    parsed_filters,
    picture_bytes,
    plain,
    settings_of,
    stored,
)
from page.library import Library
from page.results import FAILED, check
from page.uploads import read_upload, uploaded_path
from page.visitors import is_search
from pipeline.errors import SimileError
from pipeline.search import Collection, Example, Settings

__all__ = ["UPLOAD_TOOL", "Programs", "search_endpoint"]

UPLOAD_TOOL = "search"  # takes an upload, which a model cannot make: no MCP tool
_MOST_VALUES = 200
log = logging.getLogger("simile")


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
        box: str = "",
        matches_only: bool = False,
        fold: bool = False,
        diversity: float = 0.0,
        offset: int = 0,
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
            box: search with a part of the picture: JSON list of left, top, right and bottom, each a share of
                the side from 0 to 1, such as [0, 0, 0.5, 1]; empty for the whole.
            matches_only: only pictures as near as the collection's calibrated score of a match.
            fold: one hit for pictures that are nearly the same.
            diversity: 0 (nearest) to 1 (as unlike each other as can be).
            offset: how many of the nearest to leave out, 0 to 1000: the hits so far, to go on after them.
        """
        picture = Example(picture=picture_bytes(image), box=box_of(box))
        narrowed = {"matches_only": bool(matches_only), "fold": bool(fold), "diversity": float(diversity)}
        settings = settings_of(metric, k, filters, exact, encoder, offset, **narrowed)
        return self._found(collection, [picture], [], settings, thumbnails)

    @is_search
    def search_text(
        self,
        text: str,
        collection: str,
        k: int = 10,
        filters: str = "{}",
        encoder: str = "",
        thumbnails: bool = False,
        offset: int = 0,
    ) -> dict[str, Any]:
        """Find the pictures of a collection that fit words; only for encoders that understand text.

        Args:
            text: what the pictures show.
            collection: name of a collection, from the tool `collections`.
            k: how many pictures, 1 to 100.
            filters: JSON object that hits must satisfy, such as {"artist": ["Claude Monet"]}.
            encoder: one of the collection's encoders; empty for its default.
            thumbnails: also return each hit's picture as a data URL, about 10 kB each.
            offset: how many of the nearest to leave out, 0 to 1000: the hits so far, to go on after them.
        """
        settings = settings_of("cosine", k, filters, encoder=encoder, offset=offset)
        return self._found(collection, [Example(text=text)], [], settings, thumbnails)

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
        matches_only: bool = False,
        fold: bool = False,
        diversity: float = 0.0,
        offset: int = 0,
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
            matches_only: only pictures as near as the collection's calibrated score of a match.
            fold: one hit for pictures that are nearly the same.
            diversity: 0 (nearest) to 1 (as unlike each other as can be).
            offset: how many of the nearest to leave out, 0 to 1000: the hits so far, to go on after them.
        """
        narrowed = {"matches_only": bool(matches_only), "fold": bool(fold), "diversity": float(diversity)}
        settings = settings_of(metric, k, filters, exact, encoder, offset, **narrowed)
        return self._found(collection, [stored(id)], [], settings, thumbnails)

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
        excluded: str = "{}",
        at_most: str = "{}",
        encoder: str = "",
        offset: int = 0,
    ) -> dict[str, Any]:
        """Recommend pictures near those that are liked and away from those that are disliked.

        Args:
            likes: ids of earlier hits in the same collection, or pictures in base64 or as data URLs.
            collection: name of a collection, from the tool `collections`.
            dislikes: ids or pictures to stay away from.
            k: how many pictures, 1 to 100.
            filters: JSON object that hits must satisfy, such as {"artist": ["Claude Monet"]}.
            combine: any (near one of the likes) or average (near all of them).
            diversity: 0 (nearest) to 1 (as unlike each other as can be).
            thumbnails: also return each hit's picture as a data URL, about 10 kB each.
            excluded: JSON object of what no hit may have, such as {"artist": ["Claude Monet"]}.
            at_most: JSON object of how many hits may share a value of a field, such as {"artist": 2}.
            encoder: one of the collection's encoders; empty for its default.
            offset: how many of the nearest to leave out, 0 to 1000: the hits so far, to go on after them.
        """
        settings = settings_of(
            "cosine",
            k,
            filters,
            encoder=encoder,
            combine=combine,
            diversity=float(diversity),
            excluded=parsed_filters(excluded),
            at_most=limits(at_most),
            offset=offset,
        )
        liked, disliked = ([example(one) for one in given or []] for given in (likes, dislikes))
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
