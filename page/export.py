"""Hits to take along: a CSV table, JSON, and a contact sheet of their pictures."""

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from PIL import Image, ImageDraw, ImageFont

from page.collection_library import CollectionLibrary
from page.components.cards import Card
from pipeline.errors import SimileError
from pipeline.points import RESERVED
from pipeline.search import Hit

__all__ = ["as_csv", "as_json", "contact_sheet", "export_files", "ranks"]

_CELL, _GAP, _CAPTION = 200, 12, 34  # pixels of the contact sheet
_COLUMNS = 6
# Signs that begin a formula, behind anything that is not seen: spaces, controls, marks of order and width.
_UNSEEN = r"\s\x00-\x1f\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\ufeff"
_FORMULA = re.compile(rf"[\t\r]|[{_UNSEEN}]*[=+\-@＝＋－＠]")


def export_files(library: CollectionLibrary, cards: Sequence[Card]) -> list[str]:
    """Paths of the CSV table, the JSON and the contact sheet of these cards, where the page may serve them.

    Raises:
        SimileError: there are no cards, or the collection cannot be opened.
    """
    if not cards:
        raise SimileError("there is nothing to export yet; search for something first")
    found = library.open(cards[0].collection)
    hits = {hit.id: hit for hit in found.get_many([shown.id for shown in cards])}
    kept = [shown for shown in cards if shown.id in hits]
    rows, ranked = [hits[shown.id] for shown in kept], ranks(kept)
    about = {"collection": found.name, "version": found.version, "metric": kept[0].metric if kept else None}
    captions = [f"{shown.closeness}  {shown.label}" for shown in kept]
    made = {
        f"{found.name}.csv": as_csv(rows, ranked).encode("utf-8-sig"),  # the mark by which Excel knows UTF-8
        f"{found.name}.json": as_json(rows, ranked, about).encode(),
        f"{found.name}.jpg": contact_sheet(rows, captions),
    }
    return [save_bytes_to_cache(data, name, get_upload_folder()) for name, data in made.items()]


def ranks(hits: Sequence[Hit | Card], first: int = 1) -> list[dict[str, Any]]:
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
    rows = [_row(hit, rank) for hit, rank in zip(hits, ranked, strict=True)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(map(_cell, names))
    writer.writerows([_cell(row.get(name, "")) for name in names] for row in rows)
    return file.getvalue()


def as_json(hits: Sequence[Hit], ranked: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """`about` and the same rows as in the table, as `hits`."""
    rows = [_row(hit, rank) for hit, rank in zip(hits, ranked, strict=True)]
    return json.dumps({**about, "hits": rows}, indent=1, ensure_ascii=False, default=str)


def _row(hit: Hit, rank: dict[str, Any]) -> dict[str, Any]:
    payload = {name: value for name, value in hit.payload.items() if name != RESERVED}
    about = hit.payload.get(RESERVED) or {}
    return {**rank, "id": hit.id, **payload, "places": " ".join(about.get("places") or [])}


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is quoted.

    Spreadsheets leave out what is invisible before the sign, and take full-width signs for signs.
    """
    return "'" + value if isinstance(value, str) and _FORMULA.match(value) else value


def contact_sheet(hits: Sequence[Hit], captions: Sequence[str]) -> bytes:
    """A JPEG of all pictures in rows of six, each above its caption."""
    columns = max(1, min(_COLUMNS, len(hits)))
    rows = max(1, -(-len(hits) // columns))
    size = (columns * (_CELL + _GAP) + _GAP, rows * (_CELL + _CAPTION + _GAP) + _GAP)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, (hit, caption) in enumerate(zip(hits, captions, strict=True)):
        left = _GAP + place % columns * (_CELL + _GAP)
        top = _GAP + place // columns * (_CELL + _CAPTION + _GAP)
        with Image.open(io.BytesIO(hit.thumbnail)) as picture:
            small = picture.convert("RGB")
        scale = _CELL / max(small.size)
        small = small.resize((max(1, round(small.width * scale)), max(1, round(small.height * scale))))
        sheet.paste(small, (left + (_CELL - small.width) // 2, top + (_CELL - small.height) // 2))
        pen.text((left, top + _CELL + 3), _fitted(caption, font), fill="black", font=font)
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=88)
    return file.getvalue()


def _fitted(text: str, font: Any) -> str:
    while text and font.getlength(text) > _CELL:
        text = text[:-2].rstrip("… ") + "…" if len(text) > 2 else ""
    return text
