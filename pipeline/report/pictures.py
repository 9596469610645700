"""Thumbnails of stored points, small enough for a page with a hundred of them."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from pipeline.images import data_url
from pipeline.search.hit import hit_from
from pipeline.store import Store

__all__ = ["ShownPicture", "load_pictures"]

_SIDE = 128  # pixels; shown at 84, sharp enough for dense screens
_PAGE = 64


@dataclass(frozen=True)
class ShownPicture:
    """A point as the template shows it: thumbnail as a data URL, label, payload fields."""

    url: str
    label: str
    fields: Mapping[str, Any]


def load_pictures(
    store: Store, version: str, ids: Iterable[str], label_fields: Sequence[str]
) -> dict[str, ShownPicture]:
    """Id -> picture, of every id that the version holds."""
    wanted = sorted(set(ids))
    found = {}
    for start in range(0, len(wanted), _PAGE):
        for record in store.retrieve(version, wanted[start : start + _PAGE]):
            hit = hit_from(str(record.id), record.payload or {}, label_fields)
            found[hit.id] = ShownPicture(_small(hit.thumbnail, hit.thumbnail_type), hit.label, hit.payload)
    return found


def _small(thumbnail: bytes, kind: str) -> str:
    """A data URL of at most 128 px."""
    if not thumbnail:
        return ""
    with Image.open(io.BytesIO(thumbnail)) as image:
        if max(image.size) <= _SIDE:
            return data_url(thumbnail, kind)
        image.thumbnail((_SIDE, _SIDE))
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "WEBP", quality=75)
    return data_url(buffer.getvalue(), "image/webp")
