"""Which version of the rules of decoding a file depends on.

Vectors that were staged under older rules stay valid for pictures that these rules treat alike. So jobs embed
again only the others, instead of everything.
"""

from __future__ import annotations

__all__ = ["RULES", "rules_of"]

RULES = 2  # 1: colour profiles were ignored, transparency always set on white
_WEBP_PROFILE_OR_ALPHA = 0x20 | 0x10  # flags of an extended WebP
_PNG_WITH_ALPHA = (4, 6)  # colour types


def rules_of(data: bytes) -> int:
    """The first version of the rules from which on this file gives the pixels that it gives now.

    By its header and without decoding, in microseconds: a file that may hold a profile or transparency counts
    as one that does.

    >>> rules_of(b"\\xff\\xd8...")
    1
    """
    return RULES if _may_have_profile_or_alpha(data) else 1


def _may_have_profile_or_alpha(data: bytes) -> bool:
    if data.startswith(b"\xff\xd8"):
        return b"ICC_PROFILE\0" in data
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        header = data[: max(0, data.find(b"IDAT"))]
        return data[25:26] in map(_byte, _PNG_WITH_ALPHA) or b"iCCP" in header or b"tRNS" in header
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        if data[12:16] == b"VP8X":
            return bool(data[20:21] and data[20] & _WEBP_PROFILE_OR_ALPHA)
        # A lossless file says so in bit 28 after its signature byte.
        return data[12:16] == b"VP8L" and bool(int.from_bytes(data[21:25], "little") >> 28 & 1)
    return not data.startswith(b"BM")  # GIF, TIFF, AVIF, HEIC


def _byte(value: int) -> bytes:
    return bytes([value])
