"""A visitor's query and settings -> hits as cards, the reason of each, and the line of figures above them."""

from collections.abc import Sequence
from dataclasses import dataclass

from page.collection_library import CollectionLibrary
from page.components.cards import Card, card
from page.pixel_budget import check_own_pictures
from page.query_bytes import bytes_of
from page.shared_state import Query, QueryPicture
from page.wording import field_name, milliseconds, numbered_names, result_line, spoken, value_words
from pipeline.search import Collection, Example, Found, Hit, Settings
from pipeline.search.label_words import labels_in, named_labels
from pipeline.search.query import is_vector_text, words_or_vector

__all__ = [
    "FAILED",
    "NO_CLOSE",
    "SearchResult",
    "examples_of",
    "figures",
    "nearest_of",
    "reason",
    "run_search",
    "shared_share",
]

NO_CLOSE = "No close match. The nearest:"
FAILED = "The search failed; whoever runs this page finds the reason in its log."


@dataclass(frozen=True)
class SearchResult:
    """One answered search.

    Attributes:
        collection: where it was made.
        found: the hits as the collection found them, with times.
        cards: the same hits as the page shows them.
        understood: labels that the words of the query named, as people write them.
    """

    collection: Collection
    found: Found
    cards: list[Card]
    understood: tuple[str, ...] = ()


def run_search(
    library: CollectionLibrary, name: str, query: Query, settings: Settings, *, explained: bool = False
) -> SearchResult:
    """Searches the collection `name`.

    Args:
        explained: each card says which picture it is like, even if the query has only one.

    Raises:
        SimileError: as `Collection.find`, or an uploaded picture is gone.
    """
    collection = library.open(name)
    likes = examples_of(query.likes, collection, library)
    if query.text.strip():
        likes.append(words_or_vector(query.text))
    dislikes = examples_of(query.dislikes, collection, library)
    check_own_pictures([*likes, *dislikes])
    found = collection.find(likes, dislikes, settings)
    cards = [
        card(
            hit,
            collection.name,
            settings.metric,
            reason(hit, query, settings, explained=explained),
            settings.encoder,
            nearest_of(hit.like_scores[: len(query.likes)]),
            pictures=library.pictures,
        )
        for hit in found.hits
    ]
    is_words = bool(query.text.strip()) and not is_vector_text(query.text)
    reads = collection.encoder_entry(settings.encoder).text or not is_words
    labels = [] if reads else named_labels(labels_in(*collection.live), query.text)
    understood = tuple(f"{field_name(field)}: {value_words(value)}" for field, value in labels)
    return SearchResult(collection, found, cards, understood)


def examples_of(
    pictures: Sequence[QueryPicture], collection: Collection, library: CollectionLibrary
) -> list[Example]:
    """Stored pictures of this collection by their ids; their parts and all other pictures by pixels."""
    return [_example(picture, collection, library) for picture in pictures]


def _example(picture: QueryPicture, collection: Collection, library: CollectionLibrary) -> Example:
    own = picture.point_id if picture.collection == collection.name else None
    if own and picture.box is None:
        return Example(id=own)
    return Example(picture=bytes_of(picture, library), box=picture.box, part_of=own)


def nearest_of(scores: Sequence[float]) -> int:
    """Number of the best score; 0 of none."""
    return max(range(len(scores)), key=scores.__getitem__, default=0)


def reason(hit: Hit, query: Query, settings: Settings, *, explained: bool) -> str:
    """`like Claude Monet (0.83), not like Edgar Degas`."""
    several = len(hit.like_scores) > 1 or hit.dislike_scores
    if not several and not explained:
        return ""
    names = [*_names(query.likes), *([spoken(query.text)] if query.text else [])]
    scores = hit.like_scores or (hit.score,)
    if settings.combine == "average" and len(scores) > 1:
        text = f"like all {len(scores)} ({sum(scores) / len(scores):.2f})"
    else:
        best = nearest_of(scores)
        text = f"like {names[best]} ({scores[best]:.2f})"
    if hit.dislike_scores:
        worst = nearest_of(hit.dislike_scores)
        text += f", not like {_names(query.dislikes)[worst]}"
    return text


def _names(pictures: Sequence[QueryPicture]) -> list[str]:
    names = numbered_names([picture.label.split(" · ")[0] or "a picture" for picture in pictures])
    return [("part of " if picture.box else "") + name for picture, name in zip(pictures, names, strict=True)]


def figures(shown: Sequence[Card], result: SearchResult, settings: Settings) -> str:
    """`24 closest of 600 pictures`, and below Details `search 3 ms · cosine · approximate`, as HTML.

    Args:
        shown: all cards on the page, which may be more than those of the last search.
    """
    said = NO_CLOSE if not result.found.is_close else _how_many(len(shown), result)
    if result.understood:
        said += f" for {', '.join(result.understood)}"
    metric = "Hamming" if settings.metric == "hamming" else "cosine"
    details = [metric, "exact" if settings.exact else "approximate", *milliseconds(result.found.times)]
    if not result.found.is_close:
        details.insert(0, _how_many(len(shown), result))
    if settings.encoder:
        details.append(settings.encoder)
    return result_line(said, details)


def _how_many(shown: int, result: SearchResult) -> str:
    return f"{shown:,} closest of {result.collection.counted} pictures"


def shared_share(first: Sequence[Card], second: Sequence[Card]) -> str:
    """How many pictures two lists share: `21 of 24`."""
    both = {one.id for one in first} & {one.id for one in second}
    return f"{len(both)} of {max(len(first), len(second))}"
