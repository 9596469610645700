"""From which cosine on two pictures of a version may be copies, measured on copies of its own pictures."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from pipeline.errors import SimileError
from pipeline.images import as_rgb
from pipeline.search.hit import hit_from
from pipeline.search.query_embedding import prepare
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry, Version
from pipeline.vectors import unit

__all__ = ["candidate_cosine", "copies_of"]

_PICTURES = 48  # of which copies are made: some seconds of a small network on a CPU
_BOUNDS = (0.3, 0.98)  # of the cosine, whatever was measured
_SEEN_BY_PIXELS = ("jpeg", "scaled")  # these copies are found by their signatures, however far they are
_QUALITY, _SCALE, _KEPT, _DEGREES = 30, 0.5, 0.95, 2.0  # of the copies; `_KEPT`: share of a side


def copies_of(image: Image.Image, rng: np.random.Generator) -> Iterator[tuple[str, Image.Image]]:
    """Copies of a picture as they come about, with a word for each: saved again, scaled, cropped, turned,
    mirrored.

    Args:
        image: RGB.
        rng: where the crop is cut out, and which way the picture is turned.
    """
    width, height = image.size
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    yield "jpeg", as_rgb(file.getvalue())
    yield "scaled", image.resize((max(1, round(width * _SCALE)), max(1, round(height * _SCALE))))
    inner = round(width * _KEPT), round(height * _KEPT)
    left, top = (int(rng.integers(0, most + 1)) for most in (width - inner[0], height - inner[1]))
    yield "cropped", image.crop((left, top, left + inner[0], top + inner[1]))
    yield "turned", image.rotate(_DEGREES * rng.choice([-1, 1]), Image.Resampling.BICUBIC)
    yield "mirrored", image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def candidate_cosine(
    store: Store, version: Version, entry: EncoderEntry, mirrored: bool, seed: int = 0
) -> float:
    """The cosine that cropped and turned copies of 48 pictures reach with what they were made from.

    Args:
        entry: the encoder whose vectors are compared; its network is loaded.
        mirrored: whether mirrored copies count.

    Raises:
        SimileError: the version holds no pictures with thumbnails, or its network is not at hand.
    """
    records = store.scroll(version.name, _PICTURES, with_vectors=[entry.vector])
    rng = np.random.default_rng(seed)
    images: list[Image.Image] = []
    rows: list[int] = []
    for row, record in enumerate(records):
        hit = hit_from(str(record.id), record.payload or {}, ())
        for kind, copy in copies_of(hit.image(), rng) if hit.thumbnail else ():
            if kind not in _SEEN_BY_PIXELS and (mirrored or kind != "mirrored"):
                images.append(copy)
                rows.append(row)
    if not images:
        name = version.manifest.collection
        raise SimileError(f"'{name}' holds no thumbnails to compare; index some pictures first.")
    own = unit(np.array([record.vector[entry.vector] for record in records]))  # type: ignore[index,call-overload]
    made = unit(np.stack([each.vector for each in prepare(version, entry, images)]))
    cosines = (own[rows] * made).sum(axis=1)
    return float(np.clip(cosines.min(), *_BOUNDS))
