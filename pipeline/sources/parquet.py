"""Parquet files, local or on the Hub, as a source: one look at their footers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import NoSplitError, SimileError
from pipeline.home import is_remote
from pipeline.sources.footers import read_footers
from pipeline.sources.payload_fields import payload_columns
from pipeline.sources.schemas import features_of, merge_schemas, refuse_other_classes
from pipeline.sources.source import Asked, Measured, RowGroup, Source, card_text, choose_image
from pipeline.sources.units import MOST_ROWS

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import DatasetBuilder, Features
    from huggingface_hub import HfFileSystem


class Listing(NamedTuple):
    """What `datasets` found, before a split and an image column are chosen."""

    config: str | None
    splits: dict[str, list[str]]
    features: Features | None
    root: str
    card: dict[str, Any]
    storage: HfFileSystem | None = None  # None: not on the Hub


def is_parquet(builder: DatasetBuilder) -> bool:
    """Whether `datasets` would read parquet files."""
    from datasets.packaged_modules.parquet.parquet import Parquet

    return isinstance(builder, Parquet)


def parquet_source(
    name: str,
    listing: Listing,
    asked: Asked,
    measure: Callable[[list[str]], Measured],
) -> Source:
    """The source that parquet files are.

    Args:
        name: what was asked for.
        listing: what `datasets` found there.
        asked: the split, one of those, and the image column.
        measure: of files: their states.

    Raises:
        SimileError: an unknown split or image column, files outside the dataset, one that is no parquet, or
            two whose columns do not fit together.
    """
    files = split_files(name, listing, asked.split)
    foreign = next((file for file in files if not file.startswith(listing.root)), None)
    if foreign:
        raise SimileError(f"'{name}' refers to '{foreign}' outside itself; copy the files into one folder")
    footers = read_footers(name, files, listing.storage, asked.spread)
    schemas = [footer.schema for footer in footers]
    inner = [file.removeprefix(listing.root) for file in files]
    schema, features = _columns(inner, schemas, listing.features)
    image = choose_image(name, features, *asked.wanted)
    groups = tuple(footer.groups_of(image) for footer in footers)
    measured = measure(files)
    return Source(
        name=name,
        kind="parquet",
        split=asked.split,
        config=listing.config,
        revision=measured.revision,
        image_column=image,
        features=features,
        payload_columns=payload_columns(features, image),
        rows=sum(group.pictures for each in groups for group in each),
        bytes=measured.bytes,
        files=tuple(files),
        root=listing.root,
        licence=card_text(listing.card.get("license")),
        credit=card_text(listing.card.get("credit")),
        groups=groups,
        states=measured.states,
        schema=None if all(each.equals(schemas[0]) for each in schemas) else schema,
        notes=_notes(listing.root, groups),
    )


def _notes(root: str, groups: Sequence[Sequence[RowGroup]]) -> tuple[str, ...]:
    most = max((group.pictures for each in groups for group in each), default=0)
    if not is_remote(root) or most <= MOST_ROWS:
        return ()
    return (
        f"the parquet files have row groups of up to {most:,} rows, and each unit that reads a part of one "
        f"starts at its beginning; with row groups of up to {MOST_ROWS:,} rows, less would be downloaded",
    )


def _columns(
    files: Sequence[str], schemas: Sequence[pa.Schema], declared: Features | None
) -> tuple[pa.Schema, Features]:
    """The columns of all files together, and what `datasets` knows of each."""
    from datasets import Features

    distinct: list[tuple[str, pa.Schema]] = []
    for file, schema in zip(files, schemas, strict=True):
        if not any(schema.equals(other, check_metadata=True) for _, other in distinct):
            distinct.append((file, schema))
    names, different = zip(*distinct, strict=True)
    merged = merge_schemas(names, different)
    each = [features_of(schema) for schema in different]
    refuse_other_classes(names, each)
    features = dict(features_of(merged))
    for schema, own in reversed(list(zip(different, each, strict=True))):
        same = (column for column in own if schema.field(column).type == merged.field(column).type)
        features |= {column: own[column] for column in same}
    if declared is not None:
        features |= {column: feature for column, feature in declared.items() if column in features}
    return merged, Features(features)


def split_files(name: str, listing: Listing, split: str) -> list[str]:
    """The files of a split, sorted.

    Raises:
        NoSplitError: there is no such split.
    """
    if split not in listing.splits:
        raise NoSplitError(f"'{name}' has no split '{split}'; there are: {', '.join(sorted(listing.splits))}")
    return sorted(listing.splits[split])
