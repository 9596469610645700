"""Hits as rows of a table: CSV for spreadsheets, JSON for programs."""

import csv
import io
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from pipeline.points import RESERVED
from pipeline.search.hit import Hit

__all__ = ["Ranked", "as_csv", "as_json", "ranks", "row_of", "safe_cell", "without_clash"]

_PREFIX = "source_"  # of columns of the source whose names are taken by what a search says
# Signs that begin a formula, behind anything that is not seen: spaces, controls, marks of order and width.
_UNSEEN = r"\s\x00-\x1f\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\ufeff"
_FORMULA = re.compile(rf"[\t\r]|[{_UNSEEN}]*[=+\-@＝＋－＠]")


class Ranked(Protocol):
    """What is told of the closeness of a hit."""

    @property
    def score(self) -> float: ...
    @property
    def distance(self) -> float | int: ...
    @property
    def unusual(self) -> float | None: ...
    @property
    def weak(self) -> bool | None: ...


def ranks(hits: Sequence[Ranked], first: int = 1) -> list[dict[str, Any]]:
    """Rank and closeness of each hit; the first one has the rank `first`."""
    return [
        {
            "rank": rank,
            "score": round(hit.score, 6),
            "distance": hit.distance,
            "unusual": hit.unusual,
            "weak": hit.weak,
        }
        for rank, hit in enumerate(hits, first)
    ]


def as_csv(hits: Sequence[Hit], ranked: Sequence[dict[str, Any]]) -> str:
    """One row for each hit: its fields of `ranked`, its id, its payload and its places in the source."""
    rows = [row_of(hit, rank) for hit, rank in zip(hits, ranked, strict=True)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(map(safe_cell, names))
    writer.writerows([safe_cell(row.get(name, "")) for name in names] for row in rows)
    return file.getvalue()


def as_json(hits: Sequence[Hit], ranked: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """`about` and the same rows as in the table, as `hits`."""
    rows = [row_of(hit, rank) for hit, rank in zip(hits, ranked, strict=True)]
    return json.dumps({**about, "hits": rows}, indent=1, ensure_ascii=False, default=str)


def row_of(hit: Hit, ranked: dict[str, Any]) -> dict[str, Any]:
    """A hit as a row; a column of the source that is called like one of ours keeps its value, prefixed."""
    own = {**ranked, "id": hit.id, "places": " ".join(hit.places)}
    payload = {name: value for name, value in hit.payload.items() if name != RESERVED}
    return {**ranked, "id": hit.id, **without_clash(payload, own), "places": own["places"]}


def without_clash(payload: Mapping[str, Any], taken: Collection[str]) -> dict[str, Any]:
    """The payload, with `source_` before the names that are taken.

    >>> without_clash({"rank": 7, "source_rank": 8, "artist": "Goya"}, ["rank", "id"])
    {'source_source_rank': 7, 'source_rank': 8, 'artist': 'Goya'}
    """
    named: dict[str, Any] = {}
    for name, value in payload.items():
        shown = name
        while shown in taken or (shown != name and shown in payload):
            shown = _PREFIX + shown
        named[shown] = value
    return named


def safe_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is quoted.

    Spreadsheets leave out what is invisible before the sign, and take full-width signs for signs.
    """
    return "'" + value if isinstance(value, str) and _FORMULA.match(value) else value
