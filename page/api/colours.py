"""The endpoints that search by colours, and tell those of a picture."""

from typing import Any

from page.api.arguments import parsed_example, settings_of
from page.api.search import SearchEndpoints
from page.collection_library import CollectionLibrary
from page.pixel_budget import check_own_pictures
from pipeline.errors import SimileError
from pipeline.search import colours_of

__all__ = ["ColourEndpoints"]


class ColourEndpoints:
    """Over the collections of one library."""

    def __init__(self, library: CollectionLibrary, searches: SearchEndpoints) -> None:
        self._library, self._searches = library, searches

    def search_colours(
        self,
        colours: list[str],
        collection: str,
        k: int = 10,
        filters: str = "{}",
        thumbnails: bool = False,
        offset: int = 0,
    ) -> dict[str, Any]:
        """Find the pictures of a collection that have much of some colours, whatever they show.

        Args:
            colours: one to five, such as ["#aa3311", "#ffeecc"]; those of a picture come from the tool
                `palette`.
        """
        settings = settings_of("cosine", k, filters, offset=offset, colours=tuple(colours))
        return self._searches.found(collection, [], [], settings, thumbnails)

    def palette(self, query: str, collection: str = "") -> dict[str, Any]:
        """Tell the main colours of a picture, commonest first, to search by them.

        Args:
            collection: the collection that holds the picture, where it is named by its `id`.

        Returns:
            `colours`, one to five, such as #aa3311.
        """
        example = parsed_example(query)
        check_own_pictures([example])
        if example.id and not collection:
            raise SimileError("name the collection that holds the picture of this id")
        stored = self._library.open(collection).get(example.id).thumbnail if example.id else None
        picture = stored or example.picture
        assert picture is not None, "an example without an id is a picture"
        return {"colours": colours_of(picture)}
