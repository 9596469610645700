"""A source -> Ray Datasets of small decoded images, and the part of them that a worker holds in memory.

Ray Data reads and decodes on all machines. Each worker keeps its part in memory as bytes (32 × 32 × 3: 3 kB
an image), because reading and decoding it again would take longer than a training step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.errors import SimileError
from pipeline.sources import Source
from pipeline.training.config import DataConfig

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data
    from datasets import Features

__all__ = ["Images", "TrainingData", "allowed_digests", "allowed_of", "collect", "read_training_data"]

_READ_CPUS = 0.25  # of a CPU for each task: the training workers reserve most of every CPU
_BATCH = 128  # images decoded together


@dataclass(frozen=True)
class TrainingData:
    """Rows of `row_key` (uint64), `pixels` (side · side · 3 bytes) and `labels` (list of int64)."""

    training: ray.data.Dataset
    validation: ray.data.Dataset
    class_names: dict[str, list[str]]  # of each label column
    licence: str | None


@dataclass(frozen=True)
class Images:
    """The images of one worker, in the order of `row_key`."""

    pixels: np.ndarray  # (N, side, side, 3) uint8
    labels: np.ndarray  # (N, columns) int64

    def __len__(self) -> int:
        return len(self.pixels)


def read_training_data(config: DataConfig) -> TrainingData:
    """Both parts of `config.source`, read lazily; under a protocol all rows are hashed first.

    Raises:
        SimileError: no such source, or a label column that holds no classes.
    """
    from pipeline.evaluation.pool import resolve_splits
    from pipeline.sources import read_rows, resolve_source

    source = resolve_source(
        config.source, split=config.split, image_column=config.image, config=config.config
    )
    names = {column: _class_names(source.features, column) for column in config.labels}
    rows = read_rows(source, columns=config.labels, limit=config.limit, num_cpus=_READ_CPUS)
    columns = [source.row_name(column) for column in config.labels]
    allowed = None
    if config.protocol != "none":
        # The training images of protocols A and B are drawn from both splits.
        others = resolve_splits(config.source, config.split)[1:] if config.protocol in ("a", "b") else []
        for other in others:
            more = read_rows(other, columns=config.labels, limit=config.limit, num_cpus=_READ_CPUS)
            rows = rows.union(more)
        allowed = allowed_digests(config.protocol, [source, *others], columns[0])
    parts = [
        rows.map_batches(
            partial(_decode, config, columns, allowed, validation),
            batch_format="pyarrow",
            batch_size=_BATCH,
            num_cpus=_READ_CPUS,
        )
        for validation in (False, True)
    ]
    return TrainingData(parts[0], parts[1], names, source.licence)


def _class_names(features: Features, column: str) -> list[str]:
    from datasets import ClassLabel

    if column not in features or not isinstance(features[column], ClassLabel):
        classes = [name for name, kind in features.items() if isinstance(kind, ClassLabel)]
        raise SimileError(f"'{column}' is no column of classes; there are: {', '.join(classes) or 'none'}")
    return list(features[column].names)


def _decode(
    config: DataConfig, columns: list[str], allowed: set[str] | None, validation: bool, table: pa.Table
) -> pa.Table:
    """The rows of one part that can be decoded and have all labels.

    Pixels are passed on as bytes: Ray pickles arrays of a batch that has no rows.

    Args:
        columns: label columns, by their names in the table.
        allowed: sha256 of the images that may be used; None: all.
        validation: whether the part for validation is meant, or the one for training.
    """
    import pyarrow as pa

    from pipeline.evaluation.art_split import validation_part
    from pipeline.sources import image_bytes

    pictures = [data or b"" for data in image_bytes(table)]
    digests = [hashlib.sha256(data).hexdigest() for data in pictures]
    values = [table[column].fill_null(-1).to_numpy() for column in columns]
    labels = np.stack(values, 1).astype(np.int64)
    places = zip(table["file"].to_pylist(), table["row"].to_pylist(), strict=True)
    keys = np.array([_key(*place) for place in places], np.uint64)
    wanted = validation_part(np.arange(len(pictures)), digests, config.validation) == validation
    wanted &= (labels >= 0).all(1)
    if allowed is not None:
        wanted &= np.array([digest in allowed for digest in digests], bool)
    if config.classes is not None:
        wanted &= np.isin(labels[:, 0], config.classes)
    pixels = {int(i): _pixels(pictures[i], config.pixels) for i in np.flatnonzero(wanted)}
    kept = [i for i, found in pixels.items() if found is not None]
    return pa.table(
        {
            "row_key": pa.array(keys[kept], pa.uint64()),
            "pixels": pa.array([pixels[i] for i in kept], pa.binary()),
            "labels": pa.array(list(labels[kept]), pa.list_(pa.int64(), len(columns))),
        }
    )


def _key(file: str, row: int) -> int:
    """The same for a row at every reading, and in no order that has to do with its class."""
    digest = hashlib.blake2b(f"{file}\0{row}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _pixels(data: bytes, side: int) -> bytes | None:
    """side × side × 3 bytes, or None where the image cannot be read."""
    from PIL import Image

    from pipeline.errors import ImageError
    from pipeline.images import decode

    try:
        image = decode(data, min_side=2 * side)
    except ImageError:
        return None
    return image.resize((side, side), Image.Resampling.BICUBIC).tobytes()


def collect(rows: Any, side: int) -> Images:
    """All rows of a `ray.data.DataIterator` in memory, sorted by `row_key`: the order of reading varies.

    Raises:
        SimileError: there are none.
    """
    import pyarrow as pa

    batches = [batch for batch in rows.iter_batches(batch_format="pyarrow") if batch.num_rows]
    if not batches:
        raise SimileError(
            "there is no image to train or validate on; check data.limit, data.classes and data.validation"
        )
    table = pa.concat_tables(batches).sort_by("row_key")
    pixels = np.empty((table.num_rows, side, side, 3), np.uint8)
    for place, value in enumerate(table["pixels"]):
        pixels[place] = np.frombuffer(value.as_buffer(), np.uint8).reshape(side, side, 3)
    return Images(pixels, np.array(table["labels"].to_pylist(), np.int64))


Protocol = Literal["art", "a", "b"]


def allowed_digests(protocol: Protocol, splits: Sequence[Source], column: str) -> set[str]:
    """sha256 of the images that may be trained on. Needs a Ray session.

    All rows are read, also where `limit` uses only the first: a protocol that is cut from fewer images has
    other queries, so that queries of the whole source might be trained on.

    Args:
        splits: train, or train and test, in the order that an evaluation reads them.
        column: of classes; of artists for `art`.

    Raises:
        SimileError: the protocol cannot be cut from these rows.
    """
    from pipeline.sources import read_rows

    texts: list[str | None] = []
    digests: list[str] = []
    for source in splits:
        rows: Any = read_rows(source, columns=[column], num_cpus=_READ_CPUS)
        rows.context.execution_options.preserve_order = True
        hashed = rows.map_batches(
            partial(_hash, source.without_rows(), column),
            batch_format="pyarrow",
            batch_size=None,
            num_cpus=_READ_CPUS,
        )
        for batch in hashed.iter_batches(batch_size=None, batch_format="pyarrow"):
            texts += batch["text"].to_pylist()
            digests += batch["digest"].to_pylist()
    return allowed_of(protocol, texts, digests)


def _hash(source: Source, column: str, table: pa.Table) -> pa.Table:
    """Class and sha256 of the rows that can be read."""
    import pyarrow as pa

    from pipeline.sources import decode_payload, image_bytes

    rows = zip(decode_payload(source, table), image_bytes(table), strict=True)
    found = [(said.get(column), hashlib.sha256(data).hexdigest()) for said, data in rows if data is not None]
    texts, digests = zip(*found, strict=True) if found else ((), ())
    return pa.table({"text": pa.array(texts, pa.string()), "digest": pa.array(digests, pa.string())})


def allowed_of(protocol: Protocol, classes: Sequence[str | None], digests: Sequence[str]) -> set[str]:
    """`allowed_digests` of N images, given in the order of an evaluation's pool.

    Args:
        classes: names, None where there is none.
        digests: sha256 in hexadecimal.

    Raises:
        SimileError: the protocol cannot be cut from these images.
    """
    from pipeline.evaluation.art_split import art_split
    from pipeline.evaluation.labels import encode_labels
    from pipeline.evaluation.pool import Pool
    from pipeline.evaluation.protocols import protocols_of

    if protocol == "art":
        split = art_split([name or "" for name in classes], digests)
        return {digests[place] for place in split.training}
    pool = Pool({"label": encode_labels(classes)}, digests, train=len(digests))
    cut = protocols_of(pool, [protocol])
    if not cut:
        raise SimileError(
            f"data.protocol '{protocol}' needs ten classes of more than 600 images each, as CIFAR-10 has; "
            "use 'none'"
        )
    asked = {digests[place] for place in cut[0].queries}  # an image may be there twice
    return {digests[place] for place in cut[0].training} - asked
