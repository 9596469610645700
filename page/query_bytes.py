"""The pixels of what is searched from, as a file."""

from page.collection_library import CollectionLibrary
from page.shared_state import QueryPicture
from page.uploads import read_upload

__all__ = ["bytes_of"]


def bytes_of(picture: QueryPicture, library: CollectionLibrary) -> bytes:
    """The file of an upload, or the thumbnail of a stored picture.

    Raises:
        SimileError: it is not here any more.
    """
    if picture.point_id:
        return library.open(picture.collection).get(picture.point_id).thumbnail
    return read_upload(picture.file)
