"""What the owner's programs may change, where the page was started with `--edit` and `--auth`."""

from typing import Any

from page.collection_library import CollectionLibrary
from page.editing import delete_pictures, tag_pictures

__all__ = ["EditEndpoints"]


class EditEndpoints:
    """Over the collections of one library; `arguments.described` completes the docstrings."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    def tag(self, collection: str, ids: list[str], tag: str, remove: bool = False) -> dict[str, Any]:
        """Give pictures a tag (a value of the filter field `tags`), or remove it.

        Args:
            ids: ids of earlier hits in the same collection, at most 600.
            tag: any text of one line.
            remove: remove the tag instead.
        """
        return tag_pictures(self._library, collection, ids, tag, remove=remove)

    def delete(self, collection: str, ids: list[str]) -> dict[str, Any]:
        """Take pictures out of a collection. They stay out when the source is indexed again.

        Args:
            ids: ids of earlier hits in the same collection, at most 600.
        """
        return delete_pictures(self._library, collection, ids)
