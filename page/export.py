"""Results to take along: a table, the same as JSON, and a contact sheet. Pure functions over hits."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from pipeline.search import Hit
from pipeline.store.protocol import RESERVED

__all__ = ["as_csv", "as_json", "contact_sheet"]

_CELL, _GAP, _TEXT = 200, 12, 34  # pixels
_COLUMNS = 6


def as_csv(hits: Sequence[Hit], ranks: Sequence[dict[str, Any]]) -> str:
    """One row a hit: what `ranks` says of it (rank, score, …), its id, its payload and its places."""
    rows = [_row(hit, rank) for hit, rank in zip(hits, ranks, strict=True)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return file.getvalue()


def as_json(hits: Sequence[Hit], ranks: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """`about` and the hits, without their pictures."""
    rows = [_row(hit, rank) for hit, rank in zip(hits, ranks, strict=True)]
    return json.dumps({**about, "hits": rows}, indent=1, ensure_ascii=False, default=str)


def contact_sheet(hits: Sequence[Hit], captions: Sequence[str]) -> bytes:
    """A JPEG of all pictures in rows of six, each over its caption."""
    columns = max(1, min(_COLUMNS, len(hits)))
    rows = max(1, -(-len(hits) // columns))
    size = (columns * (_CELL + _GAP) + _GAP, rows * (_CELL + _TEXT + _GAP) + _GAP)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, (hit, caption) in enumerate(zip(hits, captions, strict=True)):
        left = _GAP + place % columns * (_CELL + _GAP)
        top = _GAP + place // columns * (_CELL + _TEXT + _GAP)
        with Image.open(io.BytesIO(hit.thumbnail)) as picture:
            small = picture.convert("RGB")
        scale = _CELL / max(small.size)
        small = small.resize((max(1, round(small.width * scale)), max(1, round(small.height * scale))))
        sheet.paste(small, (left + (_CELL - small.width) // 2, top + (_CELL - small.height) // 2))
        pen.text((left, top + _CELL + 3), _fitted(caption, font), fill="black", font=font)
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=88)
    return file.getvalue()


def _row(hit: Hit, rank: dict[str, Any]) -> dict[str, Any]:
    payload = {name: value for name, value in hit.payload.items() if name != RESERVED}
    about = hit.payload.get(RESERVED) or {}
    return {**rank, "id": hit.id, **payload, "places": " ".join(about.get("places") or [])}


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is quoted."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def _fitted(text: str, font: Any) -> str:
    while text and font.getlength(text) > _CELL:
        text = text[:-2].rstrip("… ") + "…" if len(text) > 2 else ""
    return text
