"""The inner loop of the embed stage: images from their bytes to raw vectors and thumbnails, in threads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.encoders.all_cores import GROUP, one_thread
from pipeline.errors import ImageError
from pipeline.images import THUMBNAIL_SIDE, decode, decode_with_size, is_single_colour, shrunk, thumbnail
from pipeline.images.palette import colour_histogram
from pipeline.printable import printable, without_secrets
from pipeline.staging.parts import StagedPicture
from pipeline.staging.rejects import Reject

if TYPE_CHECKING:
    from PIL import Image

    from pipeline.encoders import Encoder

__all__ = [
    "UNITS_AT_ONCE",
    "EmbedThreads",
    "Group",
    "Needed",
    "Output",
    "embed_group",
    "fault_of",
    "rejected_group",
]

UNITS_AT_ONCE = 2  # of an actor: one is embedded while the other reads, writes, or is at the GPU

_File = bytes | memoryview  # of a picture
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


@dataclass
class _Prepared:
    """A few images on their way to the networks; `ready` and `failed` by encoder."""

    ready: dict[str, list[_Ready]]
    failed: dict[str, list[Reject]]
    broken: list[Reject] = field(default_factory=list)
    single_colour: int = 0
    pictures: list[StagedPicture] = field(default_factory=list)

    def add(self, other: _Prepared) -> None:
        """Take in what another thread has prepared."""
        for name in self.ready:
            self.ready[name] += other.ready[name]
            self.failed[name] += other.failed[name]
        self.broken += other.broken
        self.single_colour += other.single_colour
        self.pictures += other.pictures


class EmbedThreads:
    """Threads that take images from bytes to vectors; several callers may share them.

    On a CPU each thread takes its images through the networks itself, so that no core waits for another. A
    GPU wants large batches: threads only prepare, and all images of a call pass through the network together,
    in the caller's thread. Meanwhile the threads prepare those of another caller.
    """

    def __init__(self, encoders: dict[str, Encoder], decode_side: int, threads: int) -> None:
        """
        Args:
            encoders, decode_side: as `embed_group` takes them.
            threads: images worked on at once.
        """
        self._encoders, self._decode_side, self._threads = encoders, decode_side, threads
        self._large_batches = any(encoder.batch_size > GROUP for encoder in encoders.values())
        self._pool = ThreadPoolExecutor(threads, initializer=one_thread)

    def __call__(self, rows: list[Needed]) -> list[Group]:
        """What becomes of `rows`: one or more groups, which hold all of them together."""
        step = max(1, min(math.ceil(len(rows) / self._threads), GROUP))
        groups = [rows[start : start + step] for start in range(0, len(rows), step)]
        if not self._large_batches:
            return list(self._pool.map(partial(embed_group, self._encoders, self._decode_side), groups))
        whole = _nothing_yet(self._encoders)
        for prepared in self._pool.map(partial(_prepare, self._encoders, self._decode_side), groups):
            whole.add(prepared)
        return [_through_networks(self._encoders, whole)]


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
    return _through_networks(encoders, _prepare(encoders, decode_side, rows))


def _nothing_yet(encoders: Iterable[str]) -> _Prepared:
    return _Prepared({name: [] for name in encoders}, {name: [] for name in encoders})


def _prepare(encoders: dict[str, Encoder], decode_side: int, rows: list[Needed]) -> _Prepared:
    """A few images from bytes to what the networks take, in one thread."""
    made = _nothing_yet(encoders)
    for point, needs, data in rows:
        decoded = _attempt(made.broken, point, data, "decode", partial(_decode, point, data, decode_side))
        if decoded is None:
            continue
        image, small, picture = decoded
        made.single_colour += is_single_colour(image)
        made.pictures.append(picture)
        for bit, (name, encoder) in enumerate(encoders.items()):
            if needs >> bit & 1:
                preprocess = partial(_preprocess, encoder, image, small, decode_side, data)
                array = _attempt(made.failed[name], point, data, "preprocess", preprocess)
                if array is not None:
                    made.ready[name].append((picture, data, array))
    return made


def _through_networks(encoders: dict[str, Encoder], made: _Prepared) -> Group:
    outputs = {
        name: _output(name, encoder, made.ready[name], made.failed[name])
        for name, encoder in encoders.items()
    }
    return Group(made.broken, outputs, made.single_colour, made.pictures)


def rejected_group(encoders: Iterable[str], row: Needed, reason: str, kind: str) -> Group:
    """What becomes of an image that is not tried again: a reject."""
    point, _, data = row
    nothing = Output(np.empty((0, 0), np.float32), [], [])
    return Group([_rejected(point, "embed", reason, kind, data)], dict.fromkeys(encoders, nothing))


def _decode(point: str, data: _File, decode_side: int) -> tuple[Image.Image, Image.Image, StagedPicture]:
    """The picture, the same made small, and what is staged beside the vector."""
    # The size is the source's: `image` may be decoded at a smaller scale.
    image, size = decode_with_size(data, min_side=decode_side)
    small = shrunk(image, THUMBNAIL_SIDE)
    encoded, kind = thumbnail(small, bytes(data) if size == small.size else None)
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
    return encoder.preprocess(decode(data, min_side=encoder.decode_side))


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
    said = printable(without_secrets(reason), _REASON_LENGTH)
    return Reject(point, stage, said, data[:_FIRST_BYTES].hex(), kind=kind)
