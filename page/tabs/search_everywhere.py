"""One query over all collections, side by side or in one order: what the Search tab shows then."""

from dataclasses import replace

from page.collection_library import CollectionLibrary
from page.components.cards import Card, card, columns_html, grid_html
from page.pixel_budget import check_own_pictures
from page.run_search import examples_of
from page.shared_state import Searched
from page.tabs.search_update import SearchUpdate
from page.wording import credit, milliseconds, result_line
from pipeline.search import Collection, Example, Found
from pipeline.search.everywhere import MOST_COLLECTIONS, find_everywhere, merged, order_of

__all__ = ["everywhere"]


def everywhere(library: CollectionLibrary, asked: Searched) -> SearchUpdate:
    """What is found in all collections, those that can be opened and have what is filtered by.

    Raises:
        SimileError: as `find_everywhere` and `merged`, or too many pictures.
    """
    query = asked.query

    def likes(found: Collection) -> list[Example]:
        words = [Example(text=query.text)] if query.text.strip() else []
        return [*examples_of(query.likes, found, library), *words]

    # An encoder is one of the open collection's; the others have their own.
    settings = replace(asked.settings, encoder=None, min_score=None)
    opened = library.opened()[:MOST_COLLECTIONS]

    def dislikes(found: Collection) -> list[Example]:
        return examples_of(query.dislikes, found, library)

    for found in opened:
        check_own_pictures([*likes(found), *dislikes(found)])
    every = find_everywhere(opened, likes, settings, dislikes)
    titles = {found.name: found.title for found in opened}
    if asked.everywhere == "merged":
        cards = [
            replace(shown, label=f"{titles[name]} · {shown.label}" if shown.label else titles[name])
            for name, hit in merged(every, settings.k, order_of(settings, has_likes=bool(query)))
            for shown in [card(hit, name, settings.metric, pictures=library.pictures)]
        ]
        grid = grid_html(cards, query)
        said = f"{len(cards):,} closest in {len(every)} collections"
    else:
        columns = [
            (titles[name], _times(each), _cards(name, each, asked, library)) for name, each in every.items()
        ]
        cards = [shown for *_, column in columns for shown in column]
        grid = columns_html(columns, query)
        said = f"{len(every)} collections side by side"
    left_out = [title for name, title in titles.items() if name not in every]
    details = [f"without {', '.join(left_out)}: no such filter or colours there"] if left_out else []
    return SearchUpdate(
        status=result_line(said, [*details, *_taken(every)]),
        grid=grid,
        cards=cards,
        credit=credit(" ".join(found.credit for found in opened if found.name in every and found.credit)),
        searched=asked,
    )


def _cards(name: str, found: Found, asked: Searched, library: CollectionLibrary) -> list[Card]:
    return [card(hit, name, asked.settings.metric, pictures=library.pictures) for hit in found.hits]


def _times(found: Found) -> str:
    return " · ".join(milliseconds({"search_ms": found.search_ms}))


def _taken(every: dict[str, Found]) -> list[str]:
    return milliseconds(
        {name: sum(each.times[name] for each in every.values()) for name in ("embed_ms", "search_ms")}
    )
