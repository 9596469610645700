"""What programs call to search several collections at once."""

from typing import Any

from page.api.arguments import picture_bytes, settings_of
from page.api.filter_values import with_known_values
from page.api.search import hit_as_json
from page.collection_library import CollectionLibrary
from pipeline.search import Example
from pipeline.search.everywhere import can_search, find_everywhere, merged, order_of

__all__ = ["EverywhereEndpoints"]


class EverywhereEndpoints:
    """Over the collections of one library; `arguments.described` completes the docstrings."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    def search_everywhere(
        self,
        image: str,
        collections: list[str] = [],  # noqa: B006 (Gradio reads the default; nothing changes it)
        metric: str = "cosine",
        k: int = 10,
        filters: str = "{}",
        thumbnails: bool = False,
        colours: list[str] = [],  # noqa: B006
    ) -> dict[str, Any]:
        """Find the pictures of several collections that look like an image, in one order.

        Scores of two collections cannot be compared. The order is by `unusual`: how rarely random pairs of
        the hit's own collection are as near.

        Args:
            image: the picture's bytes (JPEG, PNG, WebP) as base64, or as a data URL.
            collections: names, eight at most; empty for all of them.

        Returns:
            `hits`, each with its `collection`; `searched`, the collections that have what is filtered by.
        """
        example = Example(picture=picture_bytes(image))
        settings = settings_of(metric, k, filters, colours=tuple(colours))
        opened = [self._library.open(name) for name in collections] if collections else self._library.opened()
        able = [found for found in opened if can_search(found, settings)]
        known = with_known_values(able[0], settings) if len(able) == 1 else settings
        order = order_of(settings, has_likes=True)
        every = find_everywhere(opened, lambda _: [example], known)
        hits = [
            {**hit_as_json(hit, name, thumbnails), "collection": name}
            for name, hit in merged(every, settings.k, order)
        ]
        return {"hits": hits, "searched": sorted(every)}
