"""Images that these tests share, and their bytes in any format."""

import io
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

pillow_heif.register_heif_opener()  # for writing; what reads such files registers it by itself

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def halves(size=(40, 20), left=RED, right=BLUE) -> Image.Image:
    """Left half one colour, right half another."""
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def noise(size: tuple[int, int]) -> Image.Image:
    """Smooth enough for JPEG, and different everywhere."""
    small = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def png(width: int, height: int, depth: int, colour: int, pixels: bytes) -> bytes:
    """A PNG by hand, so that its header can say what its pixels do not hold."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def grey_tiff(values: np.ndarray, bits: int, *, white_is_zero: bool = False) -> bytes:
    """A grey TIFF without compression, of (H, W) values with `bits` a pixel, packed as the format wants."""
    height, width = values.shape
    if bits == 16:
        pixels = values.astype("<u2").tobytes()
    else:
        digits = ("".join(f"{value:0{bits}b}" for value in row) for row in values.tolist())
        rows = (row + "0" * (-len(row) % 8) for row in digits)
        pixels = b"".join(int(row, 2).to_bytes(len(row) // 8) for row in rows)
    photometric = 0 if white_is_zero else 1
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 0), (277, 1)]
    tags += [(278, height), (279, len(pixels))]
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


def display_p3() -> bytes:
    """The profile of phones' pictures: sRGB's curve and white, the primaries of P3 (as seen under D50)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    for name, values in primaries.items():
        entry = profile.index(name, 128)
        at = int.from_bytes(profile[entry + 4 : entry + 8])
        profile[at + 8 : at + 20] = struct.pack(">3i", *(round(value * 65536) for value in values))
    return bytes(profile)


def printer_profile() -> bytes:
    """A CMYK profile made by hand: full cyan alone is mid-grey, every other mixture of full inks is white."""
    white, grey = bytes([255, 128, 128]), bytes([137, 128, 128])  # Lab; L* 53.6 is 128 in sRGB
    grid = b"".join(grey if corner == 8 else white for corner in range(16))  # cyan varies slowest
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", *[65536, 0, 0, 0] * 2, 65536)
    table += ramp * 4 + grid + ramp * 3
    head = struct.pack(
        ">I4sI4s4s4s12x4s", 144 + len(table), b"lcms", 0x02100000, b"prtr", b"CMYK", b"Lab ", b"acsp"
    )
    head = head.ljust(128, b"\0")
    return head + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table
