"""Parquet files, local or on the Hub, as a source: one look at their footers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import NoSplitError, SimileError
from pipeline.home import is_remote
from pipeline.sources.payload_fields import payload_columns
from pipeline.sources.schemas import features_of, merge_schemas, refuse_other_classes
from pipeline.sources.source import Measured, RowGroup, Source, Wanted, card_text, choose_image
from pipeline.sources.storage import on_filesystem
from pipeline.sources.units import MOST_ROWS

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import DatasetBuilder, Features
    from huggingface_hub import HfFileSystem

FOOTER_READERS = 16  # threads; a footer costs the Hub's latency, not the CPU


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
    split: str,
    wanted: Wanted,
    measure: Callable[[list[str]], Measured],
) -> Source:
    """The source that parquet files are.

    Args:
        name: what was asked for.
        listing: what `datasets` found there.
        split: one of its splits.
        wanted: the image column asked for.
        measure: of files: their states.

    Raises:
        SimileError: an unknown split or image column, files outside the dataset, one that is no parquet, or
            two whose columns do not fit together.
    """
    files = split_files(name, listing, split)
    foreign = next((file for file in files if not file.startswith(listing.root)), None)
    if foreign:
        raise SimileError(f"'{name}' refers to '{foreign}' outside itself; copy the files into one folder")
    footers = _footers(name, files, listing.storage)
    schemas = [footer.schema.to_arrow_schema() for footer in footers]
    inner = [file.removeprefix(listing.root) for file in files]
    schema, features = _columns(inner, schemas, listing.features)
    image = choose_image(name, features, *wanted)
    lists = _is_list(schema, image)
    groups = tuple(_groups(footer, image if lists else None) for footer in footers)
    measured = measure(files)
    return Source(
        name=name,
        kind="parquet",
        split=split,
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
        f"the parquet files have row groups of up to {most:,} rows, of which units read parts, each from the "
        f"beginning; with row groups of up to {MOST_ROWS:,} rows less would be downloaded",
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


def _is_list(schema: pa.Schema, column: str) -> bool:
    import pyarrow.types as kinds

    kind = schema.field(column).type
    return bool(kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind))


def _groups(footer: Any, lists: str | None) -> tuple[RowGroup, ...]:
    """The row groups of a file.

    Args:
        lists: the column with lists of pictures; an empty list counts as one, that is not there.
    """
    found = []
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        leaves = [group.column(place) for place in range(group.num_columns)]
        pictures = group.num_rows
        if lists is not None:
            pictures = next(leaf.num_values for leaf in leaves if leaf.path_in_schema.startswith(f"{lists}."))
        size = sum(leaf.total_compressed_size for leaf in leaves)
        found.append(RowGroup(group.num_rows, pictures, size))
    return tuple(found)


def split_files(name: str, listing: Listing, split: str) -> list[str]:
    """The files of a split, sorted.

    Raises:
        NoSplitError: there is no such split.
    """
    if split not in listing.splits:
        raise NoSplitError(f"'{name}' has no split '{split}'; there are: {', '.join(sorted(listing.splits))}")
    return sorted(listing.splits[split])


def _footers(name: str, files: Sequence[str], storage: HfFileSystem | None) -> list[Any]:
    """The `pyarrow.parquet.FileMetaData` of each file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if storage is not None:
        storage.info(files[0])  # fills the listing cache that the threads share

    def read(file: str) -> Any:
        try:
            if storage is None:
                files, path = on_filesystem(file)
                return pq.read_metadata(path, filesystem=files if is_remote(file) else None)
            with storage.open(file, "rb", cache_type="readahead", block_size=2**16) as handle:
                return pq.read_metadata(handle)
        except pa.ArrowInvalid as error:
            raise SimileError(f"'{file}' is not a parquet file: {error}; fetch it again") from None
        except OSError as error:
            raise SimileError(
                f"'{file}' cannot be read ({type(error).__name__}); is '{name}' complete?"
            ) from None

    with ThreadPoolExecutor(FOOTER_READERS) as pool:
        return list(pool.map(read, files))
