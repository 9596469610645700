"""Pictures in a terminal: the protocols of kitty and iTerm2, and sixel."""

import base64
import io
import os
from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
from PIL import Image

__all__ = ["PROTOCOLS", "Protocol", "in_terminal", "protocol_of"]

Protocol = Literal["kitty", "iterm2", "sixel"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
_PIECE = 4096  # bytes of one escape sequence of kitty
_COLOURS = 255  # registers that every terminal with sixel has, less one
_SIXEL_TERMS = ("foot", "mlterm", "yaft", "contour", "sixel")  # in $TERM
_ITERM2 = ("iTerm.app", "WezTerm", "vscode")  # $TERM_PROGRAM


def protocol_of(environment: Mapping[str, str] = os.environ) -> Protocol | None:
    """What the terminal says of itself in its environment; None: it shows text only.

    Nothing is asked of the terminal: an answer could be lost in what a person types meanwhile.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if environment.get("TMUX") or term.startswith("screen"):  # they do not pass pictures on
        return None
    if environment.get("KITTY_WINDOW_ID") or "kitty" in term or program == "ghostty":
        return "kitty"
    if program in _ITERM2 or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    return "sixel" if any(name in term for name in _SIXEL_TERMS) else None


def in_terminal(image: Image.Image, protocol: Protocol, side: int = 128) -> str:
    """Escape sequences that show an RGB image, at most `side` pixels wide and high, without a line's end."""
    small = image.convert("RGB")
    small.thumbnail((side, side))
    if protocol == "sixel":
        return _sixel(small)
    file = io.BytesIO()
    small.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    if protocol == "iterm2":
        return f"\x1b]1337;File=inline=1;size={len(file.getvalue())};width={small.width}px:{data}\x07"
    pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
    last = len(pieces) - 1
    return "".join(
        f"\x1b_G{'a=T,f=100,' if at == 0 else ''}m={int(at < last)};{piece}\x1b\\"
        for at, piece in enumerate(pieces)
    )


def _sixel(image: Image.Image) -> str:
    """Bands of six lines; in each, for every colour, one character a column whose bits are the six pixels."""
    reduced = image.quantize(_COLOURS)
    pixels = np.asarray(reduced)
    palette = np.asarray(reduced.getpalette() or [], np.int64).reshape(-1, 3)
    parts = ["\x1bPq"]
    parts += [
        f"#{at};2;" + ";".join(str(level * 100 // 255) for level in palette[at]) for at in np.unique(pixels)
    ]
    for top in range(0, len(pixels), 6):
        band = pixels[top : top + 6]
        bits = 1 << np.arange(len(band))[:, None]
        for colour in np.unique(band):
            columns = ((band == colour) * bits).sum(axis=0) + 63
            parts.append(f"#{colour}" + _shortened(columns) + "$")
        parts.append("-")
    return "".join(parts) + "\x1b\\"


def _shortened(columns: np.ndarray) -> str:
    """Equal neighbours as `!count` and the character."""
    starts = np.flatnonzero(np.diff(columns, prepend=-1))
    lengths = np.diff(starts, append=len(columns))
    return "".join(
        f"!{length}{chr(columns[start])}" if length > 3 else chr(columns[start]) * int(length)
        for start, length in zip(starts, lengths, strict=True)
    )
