"""Hits that a visitor liked: they are searched from and so no hits any more, but stay in the grid."""

from page.components.cards import Card, card
from page.hit_pictures import HitPictures
from page.shared_state import Query
from pipeline.search import Collection

__all__ = ["liked_cards"]

_REASON = "you like this"


def liked_cards(query: Query, found: Collection, pictures: HitPictures) -> list[Card]:
    """Cards of the liked pictures of this collection, but not of the one that the search began with."""
    liked = query.likes if query.text else query.likes[1:]
    ids = [one.point_id for one in liked if one.point_id and one.collection == found.name and not one.box]
    return (
        [card(hit, found.name, reason=_REASON, pictures=pictures) for hit in found.get_many(ids)]
        if ids
        else []
    )
