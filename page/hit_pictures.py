"""Thumbnails of hits, and their addresses, which stand in answers in the place of the pictures."""

import threading
from dataclasses import dataclass

from cachetools import TTLCache

from pipeline.search import Collection, Hit

__all__ = ["HitPicture", "HitPictures", "stored_picture_url"]

_KEPT_BYTES = 32_000_000  # some 2,000 thumbnails
_KEPT_SECONDS = 60.0  # after which the store is asked again, so that a deleted picture is gone by then


@dataclass(frozen=True)
class HitPicture:
    """A thumbnail as it is stored: file bytes and MIME type."""

    data: bytes
    kind: str


def stored_picture_url(collection: str, point: str) -> str:
    """Address of a stored picture, relative to the page; see page/picture_route.py."""
    return f"picture/{collection}/{point}"


class HitPictures:
    """Thumbnails of the hits of the last minute.

    The browser that is sent the addresses of hits asks for their pictures at once. Those that are kept here
    need not be read from the store a second time.

    Args:
        most: bytes that are kept.
        seconds: for which one is kept.
    """

    def __init__(self, most: int = _KEPT_BYTES, seconds: float = _KEPT_SECONDS) -> None:
        self._most = most
        self._kept: TTLCache[tuple[str, str], HitPicture] = TTLCache(
            most, seconds, getsizeof=lambda one: len(one.data)
        )
        self._lock = threading.Lock()

    def keep(self, collection: str, hit: Hit) -> None:
        """Remembers the thumbnail of a hit."""
        if hit.thumbnail and len(hit.thumbnail) <= self._most:
            with self._lock:
                self._kept[collection, hit.id] = HitPicture(hit.thumbnail, hit.thumbnail_type)

    def kept(self, collection: str, point: str) -> HitPicture | None:
        """The thumbnail of a point that was a hit just now."""
        with self._lock:
            return self._kept.get((collection, point))

    def read(self, collection: Collection, point: str) -> HitPicture | None:
        """The thumbnail of a point, from the store; None where there is none, or no such point."""
        for hit in collection.get_many([point]):
            self.keep(collection.name, hit)
            return HitPicture(hit.thumbnail, hit.thumbnail_type) if hit.thumbnail else None
        return None
