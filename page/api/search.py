"""Searches that programs and models call, with plain values in and out (see arguments.py)."""

from collections.abc import Sequence
from typing import Any

from page.api.arguments import (
    parsed_box,
    parsed_example,
    parsed_filters,
    parsed_id,
    parsed_limits,
    parsed_vector,
    picture_bytes,
    settings_of,
)
from page.api.filter_values import known_values, with_known_values
from page.collection_library import CollectionLibrary
from page.exact_json import exact_json
from page.hit_pictures import stored_picture_url
from page.pixel_budget import check_own_pictures
from pipeline.errors import SimileError
from pipeline.search import Collection, Example, Hit, Settings
from pipeline.search.hit_table import as_csv, as_json, ranks

__all__ = ["SearchEndpoints", "hit_as_json"]

_MOST_VALUES = 200  # of a field, in one answer


class SearchEndpoints:
    """Over the collections of one library; `arguments.described` completes the docstrings."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    def collections(self) -> dict[str, Any]:
        """List the image collections that can be searched. Call this first: the other tools need a name.

        Returns:
            For each collection its name, title, number of pictures, live version, encoders (the first is
            the default), fields that can be filtered with what each holds, whom to credit, and whether it
            can be searched by colours.
        """
        return {"collections": [_described(found) for found in self._library.opened()]}

    def facets(self, collection: str, field: str, filters: str = "{}") -> dict[str, Any]:
        """Count how many pictures of a collection have each value of a field, most frequent first.

        Use it to learn which values a filter may have. Of numbers and times it tells the least and greatest
        value; `null` counts pictures without a value.

        Args:
            field: one of the collection's filter fields.
            filters: JSON object that narrows what is counted, such as {"style": ["Impressionism"]}.
        """
        found = self._library.open(collection)
        narrowed = known_values(found, parsed_filters(filters))
        without = found.without_value(field, narrowed)
        kind = found.kinds[field]
        counts = found.facets(field, narrowed, limit=_MOST_VALUES) if kind.counted else []
        counts += [(None, without)] if without else []
        least, greatest = (kind.ordered and found.bounds(field)) or (None, None)
        return {
            "field": field,
            "kind": kind.kind,
            "exact": found.counted.exact,
            "values": [{"value": exact_json(value), "count": count} for value, count in counts],
            "least": exact_json(least),
            "greatest": exact_json(greatest),
        }

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
        colours: list[str] = [],  # noqa: B006 (Gradio reads the default; nothing changes it)
    ) -> dict[str, Any]:
        """Find the pictures of a collection that look like an image, nearest first.

        Args:
            image: the picture's bytes (JPEG, PNG, WebP) as base64, or as a data URL such as
                data:image/png;base64,... Addresses and paths are refused.
            box: search with a part of the picture: JSON list of left, top, right and bottom, each a share of
                the side from 0 to 1, such as [0, 0, 0.5, 1]; empty for the whole.
        """
        picture = Example(picture=picture_bytes(image), box=parsed_box(box))
        narrowed = _narrowed(matches_only, fold, diversity, colours)
        settings = settings_of(metric, k, filters, exact, encoder, offset, **narrowed)
        return self.found(collection, [picture], [], settings, thumbnails)

    def search_text(
        self,
        text: str,
        collection: str,
        k: int = 10,
        filters: str = "{}",
        encoder: str = "",
        thumbnails: bool = False,
        offset: int = 0,
        colours: list[str] = [],  # noqa: B006 (Gradio reads the default; nothing changes it)
    ) -> dict[str, Any]:
        """Find the pictures of a collection that fit words, or that are like the labels which the words name.

        Args:
            text: what the pictures show.
        """
        settings = settings_of("cosine", k, filters, encoder=encoder, offset=offset, colours=tuple(colours))
        return self.found(collection, [Example(text=text)], [], settings, thumbnails)

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
        colours: list[str] = [],  # noqa: B006 (Gradio reads the default; nothing changes it)
    ) -> dict[str, Any]:
        """Find the pictures of a collection that look like one of its own pictures, which is left out.

        Args:
            id: the `id` of an earlier hit in the same collection.
        """
        narrowed = _narrowed(matches_only, fold, diversity, colours)
        settings = settings_of(metric, k, filters, exact, encoder, offset, **narrowed)
        return self.found(collection, [parsed_id(id)], [], settings, thumbnails)

    def search_by_vector(
        self,
        vector: str,
        collection: str,
        metric: str = "cosine",
        k: int = 10,
        filters: str = "{}",
        exact: bool = False,
        encoder: str = "",
        thumbnails: bool = False,
        offset: int = 0,
    ) -> dict[str, Any]:
        """Find the pictures of a collection by a vector that was made elsewhere, nearest first.

        Args:
            vector: JSON list of numbers, as many as the encoder makes, such as [0.12, -0.5, 0.33].
        """
        settings = settings_of(metric, k, filters, exact, encoder, offset)
        return self.found(collection, [parsed_vector(vector)], [], settings, thumbnails)

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
            dislikes: ids or pictures to stay away from.
            combine: any (near one of the likes) or average (near all of them).
            excluded: JSON object of what no hit may have, such as {"artist": ["Claude Monet"]}.
            at_most: JSON object of how many hits may share a value of a field, such as {"artist": 2}.
        """
        settings = settings_of(
            "cosine",
            k,
            filters,
            encoder=encoder,
            combine=combine,
            diversity=float(diversity),
            excluded=parsed_filters(excluded),
            at_most=parsed_limits(at_most),
            offset=offset,
        )
        liked, disliked = ([parsed_example(one) for one in given or []] for given in (likes, dislikes))
        return self.found(collection, liked, disliked, settings, thumbnails)

    def export(
        self,
        query: str,
        collection: str,
        format: str = "csv",
        metric: str = "cosine",
        k: int = 100,
        offset: int = 0,
        filters: str = "{}",
        encoder: str = "",
    ) -> dict[str, Any]:
        """Search with one picture, and return the hits as the text of a CSV table or of JSON, to be saved.

        Args:
            format: csv or json.

        Returns:
            `text`, one row a hit with rank, score, distance, id and what is known of the picture; `more`,
            whether there are hits after these.
        """
        if format not in ("csv", "json"):
            raise SimileError(f"format {str(format)[:40]!r} does not exist; there are: csv, json")
        settings = settings_of(metric, k, filters, encoder=encoder, offset=offset)
        found = self._library.open(collection)
        answer = found.find([parsed_example(query)], settings=with_known_values(found, settings))
        rows = ranks(answer.hits, settings.offset + 1)
        about = {"collection": found.name, "version": found.version, "metric": metric}
        text = as_csv(answer.hits, rows) if format == "csv" else as_json(answer.hits, rows, about)
        return {"text": text, "hits": len(rows), "more": answer.more}

    def found(
        self,
        name: str,
        likes: Sequence[Example],
        dislikes: Sequence[Example],
        settings: Settings,
        thumbnails: bool,
    ) -> dict[str, Any]:
        check_own_pictures([*likes, *dislikes])
        found = self._library.open(name)
        answer = found.find(likes, dislikes, with_known_values(found, settings))
        hits = [hit_as_json(hit, found.name, thumbnails) for hit in answer.hits]
        return {"hits": hits, "more": answer.more, **answer.times, "collection": found.name}


def _narrowed(matches_only: bool, fold: bool, diversity: float, colours: Sequence[str]) -> dict[str, Any]:
    return {
        "matches_only": bool(matches_only),
        "fold": bool(fold),
        "diversity": float(diversity),
        "colours": tuple(colours),
    }


def hit_as_json(hit: Hit, collection: str, thumbnails: bool = True) -> dict[str, Any]:
    """A hit as an endpoint returns it, with its picture as a data URL if `thumbnails`."""
    shown = {"thumbnail": hit.data_url} if thumbnails else {}
    return {
        "id": hit.id,
        "score": hit.score,
        "distance": hit.distance,
        "unusual": hit.unusual,
        "weak": hit.weak,
        "payload": exact_json(hit.payload),
        "picture": stored_picture_url(collection, hit.id),
        **shown,
    }


def _described(found: Collection) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": found.title,
        "pictures": found.counted.pictures,
        "version": found.version,
        "encoders": found.encoders,
        "filters": found.filters,
        "kinds": {field: found.kinds[field].kind for field in found.filters},
        "credit": found.credit,
        "colours": found.manifest.colours is not None,
    }
