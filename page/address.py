"""The page's address holds everything that decides what is seen, so that it can be gone back to and sent.

For example `?collection=wikiart&metric=hamming&filter.style=Cubism&filter.year=1900..1950&without=genre&
from=<id>&unlike=<id>&words=a+boat`. What has its default value is left out. Each value is looked up; none is
used as a path or an address. `tab` and `open` (the picture in the larger view) are added by the browser, in
static/address.js.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import urlencode

from page.collection_library import CollectionLibrary
from page.components.cards import card, query_picture
from page.components.search_controls import SearchOptions, option_of
from page.own_uploads import OwnUploads
from page.shared_state import MAX_PICTURES, Query, QueryPicture
from page.wording import field_name
from pipeline.errors import SimileError
from pipeline.search import Box, Collection
from pipeline.search.query import is_vector_text
from pipeline.store.filter_terms import parse_term

__all__ = ["Link", "is_own", "link_to", "read_link"]

_FILTER = "filter."  # prefix of a parameter that names a filter field
_WITHOUT = "without"  # parameter: a field that pictures have no value of
_FROM, _UNLIKE, _WORDS, _SHOWN = "from", "unlike", "words", "shown"
_TO = ".."  # between the ends of a range
_OWN = "own."  # prefix of an upload's reference
_BOX = "~"  # before the box over a picture
_MOST_PARAMETERS = 100
_LONGEST = 300  # characters of a wrong value that a message repeats
_MOST_VALUES = 50_000  # of a field, among which a value is looked up
_TABS = re.compile(r"[a-z]{1,20}")
_PLAIN = tuple(one.name for one in fields(SearchOptions) if one.name != "filters")


@dataclass(frozen=True)
class Link:
    """What a link asks for, as far as it exists; `ignored` says what does not exist.

    Attributes:
        options: what controls other than filters are set to; those that are not named have their defaults.
        shown: how many hits were shown; 0: as many as a search shows.
        tab, opened: the open tab, and the id of the picture in the larger view.
    """

    collection: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    filters: dict[str, list[Any]] = field(default_factory=dict)  # as a search takes them
    query: Query | None = None
    shown: int = 0
    tab: str = ""
    opened: str = ""
    ignored: tuple[str, ...] = ()


def link_to(
    query: Query | None,
    collection: str,
    options: SearchOptions,
    filters: Mapping[str, Sequence[Any]],
    uploads: OwnUploads | None = None,
    shown: int = 0,
) -> str:
    """The query part of the address of a search, without the question mark.

    An upload is in it by its reference, which only its owner can follow unless it was shared.
    """
    pairs = [("collection", collection)]
    for name in _PLAIN:
        value, usual = getattr(options, name), getattr(SearchOptions(), name)
        if value != usual and value is not None:
            pairs.append((name, f"{value:g}" if type(value) in (int, float) else str(value).lower()))
    pairs += [_parameter(name, value) for name, values in filters.items() for value in values]
    query = query or Query()
    for parameter, pictures in ((_FROM, query.likes), (_UNLIKE, query.dislikes)):
        named = (_picture(one, collection, uploads) for one in pictures)
        pairs += [(parameter, name) for name in named if name]
    if query.text and not is_vector_text(query.text):  # thousands of characters, which no address holds
        pairs.append((_WORDS, query.text))
    if shown:
        pairs.append((_SHOWN, str(shown)))
    return urlencode(pairs, safe="~,/")


def is_own(link: str) -> bool:
    """Whether an address names an upload."""
    return f"={_OWN}" in link


def _parameter(name: str, value: Any) -> tuple[str, str]:
    if value is None:
        return _WITHOUT, name
    if isinstance(value, Mapping):
        return _FILTER + name, f"{value.get('gte', '')}{_TO}{value.get('lte', '')}"
    return _FILTER + name, str(value)


def _picture(picture: QueryPicture, collection: str, uploads: OwnUploads | None) -> str | None:
    """`<id>`, `<other collection>/<id>` or `own.<reference>`, with `~left,top,right,bottom` of a box."""
    if picture.point_id:
        name = (
            picture.point_id
            if picture.collection == collection
            else f"{picture.collection}/{picture.point_id}"
        )
    else:
        reference = uploads.reference(picture.file) if uploads else None
        if reference is None:
            return None
        name = _OWN + reference
    return f"{name}{_BOX}{','.join(f'{side:g}' for side in picture.box)}" if picture.box else name


def read_link(
    pairs: Sequence[tuple[str, str]],
    library: CollectionLibrary,
    uploads: OwnUploads | None = None,
    owner: str | None = None,
) -> Link:
    """What the parameters of the page's address ask for; unknown values are ignored and reported.

    Args:
        owner: of the browser, see `own_uploads.owner_of`.
    """
    pairs = pairs[:_MOST_PARAMETERS]
    ignored: list[str] = []
    asked = dict(reversed(pairs))  # of a repeated one the first counts
    name = asked.get("collection")
    if name is not None and name not in library.names():
        return Link(ignored=(f"there is no collection {_short(name)}",))
    tab = asked.get("tab", "")
    link = Link(name, tab=tab if _TABS.fullmatch(tab) else "")
    if name is None:
        return replace(link, options=_options(asked, [], ignored), ignored=tuple(ignored))
    found = library.open(name)
    filters: dict[str, list[Any]] = {}
    for key, text in pairs:
        if key.startswith(_FILTER):
            _read_filter(found, key.removeprefix(_FILTER), text, filters, ignored)
        elif key == _WITHOUT and text in found.filters:
            filters.setdefault(text, []).append(None)
    shown = asked.get(_SHOWN, "")
    return replace(
        link,
        options=_options(asked, found.encoders, ignored),
        filters=filters,
        query=_read_query(pairs, found, library, uploads, owner, ignored),
        shown=int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 5 else 0,
        opened=asked.get("open", ""),
        ignored=tuple(ignored),
    )


def _options(asked: Mapping[str, str], encoders: Sequence[str], ignored: list[str]) -> dict[str, Any]:
    options = {}
    for name in _PLAIN:
        if name in asked:
            try:
                options[name] = option_of(name, asked[name], encoders)
            except ValueError:
                ignored.append(f"there is no {field_name(name).lower()} {_short(asked[name])}")
    return options


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


def _read_query(
    pairs: Sequence[tuple[str, str]],
    found: Collection,
    library: CollectionLibrary,
    uploads: OwnUploads | None,
    owner: str | None,
    ignored: list[str],
) -> Query | None:
    pictures: dict[str, list[QueryPicture]] = {_FROM: [], _UNLIKE: []}
    words = ""
    for key, text in pairs:
        if key == _WORDS:
            words = words or text[:_LONGEST]
        elif key in pictures and len(pictures[key]) < MAX_PICTURES:
            picture = _read_picture(text, found, library, uploads, owner, ignored)
            pictures[key] += [picture] if picture else []
    query = Query(tuple(pictures[_FROM]), words, tuple(pictures[_UNLIKE]))
    return query or None


def _read_picture(
    text: str,
    found: Collection,
    library: CollectionLibrary,
    uploads: OwnUploads | None,
    owner: str | None,
    ignored: list[str],
) -> QueryPicture | None:
    name, _, sides = text.partition(_BOX)
    try:
        box = _read_box(sides) if sides else None
        if name.startswith(_OWN):
            return _read_own(name.removeprefix(_OWN), box, uploads, owner, ignored)
        other, slash, point = name.rpartition("/")
        known = library.names() if slash else ()
        if slash and other not in known:
            raise ValueError(other)
        within = library.open(other) if slash else found
        hit = within.get(str(uuid.UUID(point)))
        shown = query_picture(card(hit, within.name, pictures=library.pictures))
        return replace(shown, box=box)
    except (ValueError, SimileError):
        ignored.append(f"there is no picture {_short(text)}")
        return None


def _read_own(
    reference: str, box: Box | None, uploads: OwnUploads | None, owner: str | None, ignored: list[str]
) -> QueryPicture | None:
    file = uploads.find(reference, owner) if uploads else None
    if file is None:
        ignored.append("a picture that was uploaded is not here, or was not shared by whoever sent it")
        return None
    preview = next(file.parent.glob("preview.*"), None)
    label = "your picture" if not uploads or not uploads.is_shared(reference) else "the picture"
    return QueryPicture(str(file), box=box, label=label, preview=str(preview) if preview else None)


def _read_box(text: str) -> Box:
    left, top, right, bottom = (float(side) for side in text.split(","))
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(text)
    return left, top, right, bottom


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _short(text: str) -> str:
    return f"“{text[:_LONGEST]}”"
