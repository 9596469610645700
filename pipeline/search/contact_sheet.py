"""A contact sheet: one JPEG with many thumbnails and a caption under each."""

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

__all__ = ["contact_sheet"]

_CELL, _GAP, _CAPTION = 200, 12, 34  # pixels
_COLUMNS = 6


def contact_sheet(thumbnails: Sequence[bytes], captions: Sequence[str]) -> bytes:
    """A JPEG of all pictures in rows of six, each above its caption.

    Args:
        thumbnails: encoded pictures; an empty one leaves its place empty.
        captions: as many; what is too long is cut.
    """
    columns = max(1, min(_COLUMNS, len(thumbnails)))
    rows = max(1, -(-len(thumbnails) // columns))
    size = (columns * (_CELL + _GAP) + _GAP, rows * (_CELL + _CAPTION + _GAP) + _GAP)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, (thumbnail, caption) in enumerate(zip(thumbnails, captions, strict=True)):
        left = _GAP + place % columns * (_CELL + _GAP)
        top = _GAP + place // columns * (_CELL + _CAPTION + _GAP)
        if thumbnail:
            small = _fitted(thumbnail)
            sheet.paste(small, (left + (_CELL - small.width) // 2, top + (_CELL - small.height) // 2))
        pen.text((left, top + _CELL + 3), _cut(caption, font), fill="black", font=font)
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=88)
    return file.getvalue()


def _fitted(thumbnail: bytes) -> Image.Image:
    with Image.open(io.BytesIO(thumbnail)) as picture:
        small = picture.convert("RGB")
    scale = _CELL / max(small.size)
    return small.resize((max(1, round(small.width * scale)), max(1, round(small.height * scale))))


def _cut(text: str, font: Any) -> str:
    while text and font.getlength(text) > _CELL:
        text = text[:-2].rstrip("… ") + "…" if len(text) > 2 else ""
    return text
