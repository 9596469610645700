"""One query over several collections: the hits of each, and all of them in one order.

Scores of two collections cannot be compared, because their networks and projections are not the same. What
can be is how rare a score is among random pairs of its own collection (`Hit.unusual`): a hit nearer than
99.9 % of pairs there goes before one that is nearer than 98 % of pairs here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pipeline.errors import SimileError
from pipeline.search.collection import Collection
from pipeline.search.hit import Found, Hit
from pipeline.search.query import Example, Settings

__all__ = ["MOST_COLLECTIONS", "Order", "can_search", "find_everywhere", "merged", "order_of"]

Order = Literal["rarity", "rank", "score"]
MOST_COLLECTIONS = 8  # each of them runs a network and a search


def find_everywhere(
    collections: Sequence[Collection],
    likes: Callable[[Collection], Sequence[Example]],
    settings: Settings,
    dislikes: Callable[[Collection], Sequence[Example]] = lambda _: (),
) -> dict[str, Found]:
    """Name of each collection -> what it finds.

    Args:
        collections: one to eight. Those that lack a filter field or colours of `settings` are left out.
        likes: what is searched from in a collection: a picture that is stored in one is an id there only.
        settings: those of `Settings.encoder` are no encoder of another collection: leave it out.

    Raises:
        SimileError: too many collections, none that has what is filtered by, or as `Collection.find`.
    """
    if len(collections) > MOST_COLLECTIONS:
        raise SimileError(
            f"{len(collections)} collections are too many for one search; give at most {MOST_COLLECTIONS}."
        )
    able = [found for found in collections if can_search(found, settings)]
    if not able:
        raise SimileError("No collection has every field and colour that this search uses; remove a filter.")
    return {found.name: found.find(likes(found), dislikes(found), settings) for found in able}


def order_of(settings: Settings, *, has_likes: bool) -> Order:
    """How hits are to be merged: those that were ranked by colours as well keep their ranks."""
    if not settings.colours:
        return "rarity"
    return "rank" if has_likes else "score"


def can_search(found: Collection, settings: Settings) -> bool:
    """Whether a collection has the fields and the colours that a search needs."""
    fields = {*(settings.filters or {}), *(settings.excluded or {}), *(settings.at_most or {})}
    return fields <= set(found.filters) and (not settings.colours or found.manifest.colours is not None)


def merged(found: Mapping[str, Found], k: int, by: Order = "rarity") -> list[tuple[str, Hit]]:
    """The `k` first hits of all, with the names of their collections.

    Args:
        by: `rarity` of the hits in their own collections, where ties go by rank; `rank`, the first of each
            collection before the second ones; `score`, of searches by colours alone, which is one measure in
            all collections.

    Raises:
        SimileError: by rarity, and a collection is not calibrated.
    """
    for name, each in found.items():
        if by == "rarity" and any(hit.unusual is None for hit in each.hits):
            raise SimileError(
                f"'{name}' does not say how near its hits are among random pairs, so they cannot be sorted "
                "together with others; look at them side by side, or index it again."
            )
    ranked = [
        ({"rarity": -(hit.unusual or 0.0), "score": -hit.score, "rank": 0.0}[by], rank, name, hit)
        for name, each in found.items()
        for rank, hit in enumerate(each.hits)
    ]
    return [(name, hit) for _, _, name, hit in sorted(ranked, key=lambda one: one[:3])[:k]]
