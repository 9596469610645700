"""Pictures of the size and weight that cameras make, from the small ones of a data set.

They are enlarged, and grain is laid over them: without it a large JPEG would have a tenth of the bytes of a
photograph, and would be decoded much faster.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["KINDS", "Kind", "made", "with_density", "written"]

_GRAIN = 6.0  # levels of 255, standard deviation: a JPEG of 4000 × 3000 then has 2.8 MB
_FILE_BYTES = 200_000_000
_QUALITY = 88  # as cameras and phones choose it


@dataclass(frozen=True)
class Kind:
    """Files of one format and size; `options` are those of PIL's `save`."""

    name: str
    size: tuple[int, int]
    format: str = "JPEG"
    options: dict[str, Any] = field(default_factory=dict)


KINDS = (
    Kind("JPEG 500 × 375", (500, 375)),
    Kind("JPEG 1600 × 1200", (1600, 1200)),
    Kind("JPEG 4000 × 3000", (4000, 3000)),
    Kind("progressive JPEG 1600 × 1200", (1600, 1200), options={"progressive": True}),
    Kind("PNG 1600 × 1200", (1600, 1200), "PNG", {"compress_level": 3}),
    Kind("WebP 1600 × 1200", (1600, 1200), "WEBP", {"method": 0}),
    Kind("HEIC 1600 × 1200", (1600, 1200), "HEIF", {}),
)


def made(kind: Kind, pictures: list[bytes]) -> list[bytes]:
    """One file of `kind` of each of the pictures (files in a format of PIL)."""
    chance = np.random.default_rng(0)
    return [_encoded(_grainy(data, kind.size, chance), kind) for data in pictures]


def _grainy(data: bytes, size: tuple[int, int], chance: np.random.Generator) -> Image.Image:
    """Grain is of brightness alone, as that of a camera's sensor mostly is."""
    large = Image.open(io.BytesIO(data)).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(large, np.int16)
    grain = chance.normal(0, _GRAIN, (*pixels.shape[:2], 1)).astype(np.int16)
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def _encoded(image: Image.Image, kind: Kind) -> bytes:
    if kind.format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    image.save(file, kind.format, **{"quality": _QUALITY} | kind.options)
    return file.getvalue()


def with_density(data: bytes, density: int) -> bytes:
    """The same JPEG in other bytes: decoders ignore the density (dots an inch) in its header.

    JFIF: units at byte 13, densities across and down in the four bytes after it.
    """
    if data[6:11] != b"JFIF\0":
        raise SystemExit("error: a picture without a JFIF header; take a data set of JPEGs")
    return data[:14] + density.to_bytes(2, "big") * 2 + data[18:]


def written(files: list[bytes], folder: Path, times: int) -> Path:
    """A data set in parquet; of JPEGs each `times` times in other bytes, so that a job skips none.

    The library `datasets` writes it, so that row groups and encodings are those that users have.
    """
    from datasets import Dataset, Features, Image, disable_progress_bars

    disable_progress_bars()
    (folder / "data").mkdir(parents=True)
    at_once = max(1, _FILE_BYTES // sum(map(len, files)))
    for first in range(1, times + 1, at_once):
        densities = range(first, min(first + at_once, times + 1))
        made_of = [with_density(data, each) if times > 1 else data for each in densities for data in files]
        images = {"image": [{"bytes": data, "path": None} for data in made_of]}
        file = folder / "data" / f"train-{first:05}.parquet"
        with file.open("wb") as out:
            Dataset.from_dict(images, Features({"image": Image()})).to_parquet(out)
            out.flush()
            os.fsync(out.fileno())  # else the system writes gigabytes to the disk while a job is timed
    return folder
