"""What HEIC and AVIF files say of the sizes of their pictures, in their boxes and in the code of AV1.

The decoder of AVIF believes the code, not the boxes: a file whose boxes speak of 100 × 100 pixels can have it
allocate 268 megapixels. So both are read here. The decoder of HEIC refuses code that is larger than the boxes
say. ISO/IEC 14496-12 (boxes), ISO/IEC 23008-12 (pictures), the AV1 specification, 5.3 and 5.5 (code).
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import ImageError

__all__ = ["box_sizes", "coded_sizes", "primary_picture"]

_SEQUENCE_HEADER = 1  # type of a unit of AV1
_MOST_UNITS = 10_000  # boxes, places or units of AV1 in one file; a photograph of a phone has some hundred


def primary_picture(data: bytes) -> bytes:
    """The same file; an AVIF as one that shows its primary picture, and not the first frame of a track.

    `coded_sizes` reads the pictures only. A decoder looks for tracks where the first brand is not `avif`.

    >>> primary_picture(b"\\0\\0\\0\\x14ftypavis\\0\\0\\0\\0avif")
    b'\\x00\\x00\\x00\\x14ftypavif\\x00\\x00\\x00\\x00avif'
    """
    brands = data[8 : int.from_bytes(data[:4])] if data[4:8] == b"ftyp" else b""
    is_avif = any(brands[place : place + 4] in (b"avif", b"avis") for place in range(0, len(brands), 4))
    return data[:8] + b"avif" + data[12:] if is_avif else data


def box_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """(width, height) of each picture and tile of a file, as its boxes say."""
    for kind, properties in _boxes(_child(data, b"meta", b"iprp", b"ipco")):
        if kind == b"ispe":
            yield int.from_bytes(properties[4:8]), int.from_bytes(properties[8:12])


def coded_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """(width, height) that the code of each picture of an AVIF file makes its decoder allocate.

    Raises:
        ImageError: the boxes say of no picture where it is.
    """
    pictures = _items(_child(data, b"meta", b"iinf"), b"av01")
    for item, code in _codes(data):
        if item in pictures:
            yield from (_size_of(header) for kind, header in _units(code) if kind == _SEQUENCE_HEADER)


def _child(data: bytes, *path: bytes) -> bytes:
    """The content of the box at a path; empty if there is none. Version and flags of `meta` are left out."""
    for step in path:
        data = next((content for kind, content in _boxes(data) if kind == step), b"")
        data = data[4:] if step == b"meta" else data
    return data


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    for _ in range(_MOST_UNITS):
        if place + 8 > len(data):
            return
        size, start = int.from_bytes(data[place : place + 4]), place + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8]), start + 8
        end = place + size if size else len(data)
        if end < start:
            raise _broken()
        yield data[place + 4 : place + 8], data[start:end]
        place = end
    raise _broken()


def _items(iinf: bytes, wanted: bytes) -> set[int]:
    """Numbers of the items of one type."""
    found = set()
    for kind, item in _boxes(iinf[8 if iinf[:1] != b"\0" else 6 :]):
        wide = 4 if item[:1] == b"\3" else 2
        if kind == b"infe" and item[6 + wide : 10 + wide] == wanted:
            found.add(int.from_bytes(item[4 : 4 + wide]))
    return found


class _Numbers:
    """Numbers of whole bytes, or of bits, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._bit = data, 0

    def bits(self, count: int) -> int:
        first, end = self._bit // 8, (self._bit + count + 7) // 8
        if end > len(self._data):
            raise _broken()
        value = int.from_bytes(self._data[first:end]) >> (end * 8 - self._bit - count)
        self._bit += count
        return value & ((1 << count) - 1)

    def bytes(self, count: int) -> int:
        return self.bits(8 * count)


def _codes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each item, by the box `iloc`."""
    numbers, within = _Numbers(_child(data, b"meta", b"iloc")), _child(data, b"meta", b"idat")
    version = numbers.bytes(4) >> 24
    offset_size, length_size, base_size, index_size = (numbers.bits(4) for _ in range(4))
    wide = 4 if version == 2 else 2
    left = _MOST_UNITS
    for _ in range(numbers.bytes(wide)):
        item = numbers.bytes(wide)
        in_idat = version > 0 and numbers.bytes(2) & 15 == 1
        numbers.bytes(2)  # which file; there is one
        base = numbers.bytes(base_size)
        code = b""
        for _ in range(numbers.bytes(2)):
            left -= 1
            numbers.bytes(index_size if version > 0 else 0)
            start, length = base + numbers.bytes(offset_size), numbers.bytes(length_size)
            source = within if in_idat else data
            code += source[start : start + length if length else len(source)]
            if left < 0 or len(code) > len(data):
                raise _broken()
        yield item, code


def _units(code: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of the units (OBUs) of AV1."""
    place = 0
    for _ in range(_MOST_UNITS):
        if place >= len(code):
            return
        first = code[place]
        place += 2 if first & 4 else 1
        size = len(code) - place
        if first & 2:
            size, shift = 0, 0
            while True:
                if place >= len(code) or shift > 49:
                    raise _broken()
                byte = code[place]
                size |= (byte & 127) << shift
                place, shift = place + 1, shift + 7
                if byte < 128:
                    break
        yield first >> 3 & 15, code[place : place + size]
        place += max(0, size)
    raise _broken()


def _size_of(header: bytes) -> tuple[int, int]:
    """The largest (width, height) of a frame, by a sequence header."""
    numbers = _Numbers(header)
    numbers.bits(4)  # profile, whether it is a still
    if numbers.bits(1):  # the short header of stills
        numbers.bits(5)
    else:
        _skip_timing_and_levels(numbers)
    wide, high = numbers.bits(4) + 1, numbers.bits(4) + 1
    return numbers.bits(wide) + 1, numbers.bits(high) + 1


def _skip_timing_and_levels(numbers: _Numbers) -> None:
    has_model, delay_bits = 0, 0
    if numbers.bits(1):  # timing
        numbers.bits(64)
        if numbers.bits(1):
            zeros = 0
            while not numbers.bits(1):
                zeros += 1
            numbers.bits(zeros if zeros < 32 else 0)
        if has_model := numbers.bits(1):
            delay_bits = numbers.bits(5) + 1
            numbers.bits(42)
    has_delay = numbers.bits(1)
    for _ in range(numbers.bits(5) + 1):
        numbers.bits(12)
        if numbers.bits(5) > 7:  # level
            numbers.bits(1)
        if has_model and numbers.bits(1):
            numbers.bits(2 * delay_bits + 1)
        if has_delay and numbers.bits(1):
            numbers.bits(4)


def _broken() -> ImageError:
    return ImageError(
        "the boxes of the HEIC or AVIF file contradict each other; copy or download it again, or choose "
        "another one",
        "damaged",
    )
