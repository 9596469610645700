"""Rows as columns of text, for terminals."""

import unicodedata
from collections.abc import Sequence

from pipeline.printable import printable

__all__ = ["text_table"]

_WIDEST = 60  # columns of a terminal that one cell takes


def text_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Aligned columns with two spaces between them; numbers on the right, everything else on the left.

    Control characters in cells are escaped, and long cells are cut.

    >>> print(text_table(["name", "pictures"], [["wikiart", 6240], ["x", 7]]))
    name     pictures
    wikiart     6,240
    x               7
    """
    texts = [list(head), *([_text(cell) for cell in row] for row in rows)]
    numeric = [bool(rows) and all(_is_number(row[at]) for row in rows) for at in range(len(head))]
    widths = [max(_width(row[at]) for row in texts) for at in range(len(head))]
    return "\n".join(
        "  ".join(
            _padded(cell, width, right) for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in texts
    )


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.4f}"
    return f"{cell:,}" if _is_number(cell) else printable(cell, _WIDEST)


def _width(text: str) -> int:
    """Chinese and Japanese characters take two columns."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _padded(text: str, width: int, right: bool) -> str:
    spaces = " " * (width - _width(text))
    return spaces + text if right else text + spaces
