"""Deep links: the page's address holds the collection, metric, filters and the stored picture searched from.

For example `?collection=wikiart&metric=hamming&filter.style=Cubism&filter.year=1900..1950&without=genre&
from=<id>`. Each value is looked up in the collection; none is used as a path or an address.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from page.collection_library import CollectionLibrary
from page.components.cards import card, query_picture
from page.shared_state import Query
from page.wording import field_name
from pipeline.errors import SimileError
from pipeline.search import METRICS, Collection
from pipeline.store.filter_terms import parse_term

__all__ = ["COPY", "Link", "link_to", "read_link"]

_FILTER = "filter."  # prefix of a parameter that names a filter field
_WITHOUT = "without"  # parameter: a field that pictures have no value of
_TO = ".."  # between the ends of a range
_MOST_PARAMETERS = 50
_LONGEST = 300  # characters of a wrong value that a message repeats
_MOST_VALUES = 50_000  # of a field, among which a value is looked up
# Puts the link into the address bar and on the clipboard.
COPY = """(link) => {
    history.replaceState(history.state, "", location.pathname + link + location.hash);
    navigator.clipboard?.writeText(location.href).catch(() => {});
}"""


@dataclass(frozen=True)
class Link:
    """What a link asks for, as far as it exists; `ignored` says what does not exist."""

    collection: str | None = None
    metric: str | None = None
    filters: dict[str, list[Any]] = field(default_factory=dict)  # as a search takes them
    query: Query | None = None
    ignored: tuple[str, ...] = ()


def link_to(query: Query | None, collection: str, metric: str, filters: Mapping[str, Sequence[Any]]) -> str:
    """The query part of an address that brings this search back.

    Of several pictures it holds the first that is stored in this collection.
    """
    stored = [
        one.point_id for one in (query.likes if query else ()) if one.collection == collection and not one.box
    ]
    pairs = [("collection", collection), ("metric", metric)]
    pairs += [_parameter(name, value) for name, values in filters.items() for value in values]
    pairs += [("from", point_id) for point_id in stored[:1] if point_id]
    return "?" + urlencode(pairs)


def _parameter(name: str, value: Any) -> tuple[str, str]:
    if value is None:
        return _WITHOUT, name
    if isinstance(value, Mapping):
        return _FILTER + name, f"{value.get('gte', '')}{_TO}{value.get('lte', '')}"
    return _FILTER + name, str(value)


def read_link(pairs: Sequence[tuple[str, str]], library: CollectionLibrary) -> Link:
    """What the parameters of the page's address ask for; unknown values are ignored and reported."""
    pairs, ignored = pairs[:_MOST_PARAMETERS], []
    asked = dict(reversed(pairs))  # of a repeated one the first counts
    name = asked.get("collection")
    if name is not None and name not in library.names():
        return Link(ignored=(f"there is no collection {_short(name)}",))
    metric = asked.get("metric")
    if metric is not None and metric not in METRICS:
        ignored.append(f"there is no metric {_short(metric)}")
        metric = None
    if name is None:
        return Link(metric=metric, ignored=tuple(ignored))
    found = library.open(name)
    filters: dict[str, list[Any]] = {}
    for key, text in pairs:
        if key.startswith(_FILTER):
            _read_filter(found, key.removeprefix(_FILTER), text, filters, ignored)
        elif key == _WITHOUT and text in found.filters:
            filters.setdefault(text, []).append(None)
    query = _read_query(found, asked["from"], ignored) if "from" in asked else None
    return Link(name, metric, filters, query, tuple(ignored))


def _read_filter(
    found: Collection, name: str, text: str, filters: dict[str, list[Any]], ignored: list[str]
) -> None:
    if name not in found.filters:
        ignored.append(f"there is no filter {_short(name)}")
        return
    kind = found.kinds[name]
    if kind.ordered and _TO in text:
        wanted = {bound: end for bound, end in zip(("gte", "lte"), text.split(_TO, 1), strict=True) if end}
        try:
            parse_term(name, kind, wanted)
        except SimileError:
            ignored.append(f"{field_name(name)} has no range {_short(text)}")
        else:
            filters.setdefault(name, []).append(wanted)
        return
    counted = found.facets(name, limit=_MOST_VALUES) if kind.counted else []
    values = {_text(value): _text(value) for value, _ in counted}
    if text not in values:
        ignored.append(f"{field_name(name)} has no value {_short(text)}")
    elif values[text] not in filters.setdefault(name, []):
        filters[name].append(values[text])


def _read_query(found: Collection, point_id: str, ignored: list[str]) -> Query | None:
    try:
        hit = found.get(str(uuid.UUID(point_id)))
    except (ValueError, SimileError):
        ignored.append(f"there is no picture {_short(point_id)}")
        return None
    return Query((query_picture(card(hit, found.name)),))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _short(text: str) -> str:
    return f"“{text[:_LONGEST]}”"
