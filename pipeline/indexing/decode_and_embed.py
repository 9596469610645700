"""What one thread of the embed stage does: a few images from their bytes to raw vectors and thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ImageError
from pipeline.images import THUMBNAIL_SIDE, decode, decode_with_size, is_single_colour, shrunk, thumbnail
from pipeline.images.palette import colour_histogram
from pipeline.printable import printable
from pipeline.staging.parts import StagedPicture
from pipeline.staging.rejects import Reject

if TYPE_CHECKING:
    from PIL import Image

    from pipeline.encoders import Encoder

__all__ = ["Group", "Needed", "Output", "embed_group", "fault_of", "rejected_group"]

_File = bytes | memoryview | None  # of a picture; None where it could not be read
Needed = tuple[str, int, _File]  # id, bit i: encoder i is wanted, and the file
_Ready = tuple[StagedPicture, _File, np.ndarray]  # the picture, its file, what the network takes

_REASON_LENGTH = 500  # characters; libraries print whole headers
_FIRST_BYTES = 16  # of a file that is kept with its reject: enough to tell its format


@dataclass(frozen=True)
class Output:
    """What one encoder made of a group: raw outputs (N, D), their pictures, rejects for the others."""

    vectors: np.ndarray
    kept: list[StagedPicture]
    failed: list[Reject]


@dataclass(frozen=True)
class Group:
    """What became of a few images: rejects of those that could not be decoded; outputs by encoder; how many
    of them have one single colour; and all that were decoded.
    """

    broken: list[Reject]
    outputs: dict[str, Output]
    single_colour: int = 0
    decoded: list[StagedPicture] = field(default_factory=list)


def embed_group(encoders: dict[str, Encoder], decode_side: int, rows: list[Needed]) -> Group:
    """A few images from bytes to vectors, in one thread.

    All of them are prepared before the networks see the first, because that uses the processor's cache
    better. Only the arrays that the networks take are kept in the meantime.

    Args:
        encoders: by name; their order is that of the bits of `needs`.
        decode_side: pixels, `min_side` of the picture that thumbnails are made from; encoders of the same
            `decode_side` embed that picture, so that it is decoded once.
        rows: the pictures; a JPEG is read where its view lies.
    """
    broken: list[Reject] = []
    single_colour = 0
    pictures: list[StagedPicture] = []
    ready: dict[str, list[_Ready]] = {name: [] for name in encoders}
    failed: dict[str, list[Reject]] = {name: [] for name in encoders}
    for point, needs, data in rows:
        decoded = _attempt(broken, point, data, "decode", partial(_decode, point, data, decode_side))
        if decoded is None:
            continue
        image, small, picture = decoded
        single_colour += is_single_colour(image)
        pictures.append(picture)
        for bit, (name, encoder) in enumerate(encoders.items()):
            if needs >> bit & 1:
                preprocess = partial(_preprocess, encoder, image, small, decode_side, data)
                array = _attempt(failed[name], point, data, "preprocess", preprocess)
                if array is not None:
                    ready[name].append((picture, data, array))
    outputs = {name: _output(name, encoder, ready[name], failed[name]) for name, encoder in encoders.items()}
    return Group(broken, outputs, single_colour, pictures)


def rejected_group(encoders: Iterable[str], row: Needed, reason: str, kind: str) -> Group:
    """What becomes of an image that is not tried again: a reject."""
    point, _, data = row
    nothing = Output(np.empty((0, 0), np.float32), [], [])
    return Group([_rejected(point, "embed", reason, kind, data)], dict.fromkeys(encoders, nothing))


def _decode(point: str, data: _File, decode_side: int) -> tuple[Image.Image, Image.Image, StagedPicture]:
    """The picture, the same made small, and what is staged beside the vector."""
    # The size is the source's: `image` may be decoded at a smaller scale.
    image, size = decode_with_size(data or b"", min_side=decode_side)
    small = shrunk(image, THUMBNAIL_SIDE)
    encoded, kind = thumbnail(small, bytes(data or b"") if size == small.size else None)
    colours = colour_histogram(small).astype(np.float16).tobytes()
    return image, small, StagedPicture(point, encoded, kind, *size, colours)


def _preprocess(
    encoder: Encoder, image: Image.Image, small: Image.Image, decode_side: int, data: _File
) -> np.ndarray:
    """What the network takes. A vector may not depend on which other encoders a job has: an encoder of
    another `decode_side` gets the picture decoded for its own.
    """
    if encoder.decode_side == decode_side:
        return encoder.preprocess(image, small)
    return encoder.preprocess(decode(data or b"", min_side=encoder.decode_side))


def _output(name: str, encoder: Encoder, ready: list[_Ready], failed: list[Reject]) -> Output:
    """Embed what is ready; a vector that cannot be compared becomes a reject."""
    if not ready:
        return Output(np.empty((0, 0), np.float32), [], failed)
    arrays = [array for _, _, array in ready]
    vectors = encoder.encode_tensor(np.stack(arrays))
    faults = [fault_of(vector) for vector in vectors]
    for (picture, data, _), fault in zip(ready, faults, strict=True):
        if fault:
            failed.append(_rejected(picture.id, "embed", f"{name} gives {fault}", f"gives {fault}", data))
    good = np.array([not fault for fault in faults])
    return Output(
        vectors[good], [picture for (picture, _, _), g in zip(ready, good, strict=True) if g], failed
    )


def fault_of(vector: np.ndarray) -> str:
    """Why a raw output or a given vector cannot be compared with others; empty if it can."""
    if not np.isfinite(vector).all():
        return "NaN or infinity"
    if np.abs(vector).max() > np.finfo(np.float16).max:
        return "values beyond 65,504, more than 16-bit floats hold"
    return "" if vector.astype(np.float16).any() else "only zeros, as 16-bit floats"


def _attempt(failed: list[Reject], point: str, data: _File, stage: str, work: Callable[[], Any]) -> Any:
    """Whatever a codec raises becomes a reject of its own row; the other rows go on."""
    try:
        return work()
    except ImageError as error:
        failed.append(_rejected(point, stage, str(error), error.kind, data))
    except Exception as error:
        kind = type(error).__name__
        failed.append(_rejected(point, stage, f"{kind}: {error}", kind, data))
    return None


def _rejected(point: str, stage: str, reason: str, kind: str, data: _File) -> Reject:
    first = (data or b"")[:_FIRST_BYTES].hex()
    return Reject(point, stage, printable(reason, _REASON_LENGTH), first, kind=kind)
