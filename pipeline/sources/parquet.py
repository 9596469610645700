"""Parquet files, local or on the Hub, as a source: one look at their footers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import NoSplitError, SimileError
from pipeline.sources.payload_fields import payload_columns
from pipeline.sources.source import Source, choose_image

if TYPE_CHECKING:
    from datasets import DatasetBuilder, Features
    from huggingface_hub import HfFileSystem

FOOTER_READERS = 16  # threads; a footer costs the Hub's latency, not the CPU


class Wanted(NamedTuple):
    """The image column asked for."""

    column: str | None
    strict: bool  # whether it must be that one


class Listing(NamedTuple):
    """What `datasets` found, before a split and an image column are chosen."""

    config: str | None
    splits: dict[str, list[str]]
    features: Features | None
    root: str
    card: dict[str, Any]
    storage: HfFileSystem | None = None  # None: local files


def is_parquet(builder: DatasetBuilder) -> bool:
    """Whether `datasets` would read parquet files."""
    from datasets.packaged_modules.parquet.parquet import Parquet

    return isinstance(builder, Parquet)


def parquet_source(
    name: str,
    listing: Listing,
    split: str,
    wanted: Wanted,
    measure: Callable[[list[str]], tuple[int, str]],
) -> Source:
    """The source that parquet files are.

    Args:
        name: what was asked for.
        listing: what `datasets` found there.
        split: one of its splits.
        wanted: the image column asked for.
        measure: of files: their bytes together, and what their state is called (`Source.revision`).

    Raises:
        SimileError: an unknown split or image column, files outside the dataset, one that is no parquet, or
            a column of a kind that `datasets` does not know, such as a map.
    """
    from datasets import Features

    files = split_files(name, listing, split)
    foreign = next((file for file in files if not file.startswith(listing.root)), None)
    if foreign:
        raise SimileError(f"'{name}' refers to '{foreign}' outside itself; copy the files into one folder")
    footers = _footers(name, files, listing.storage)
    schema = footers[0].schema.to_arrow_schema()
    features = listing.features
    if features is None or not set(features) <= set(schema.names):
        try:
            features = Features.from_arrow_schema(schema)
        except ValueError as error:  # maps, and other kinds that `datasets` does not know
            raise SimileError(
                f"'{files[0]}' has a column of a kind that is not read ({error}) Save it without this "
                "column, or as text."
            ) from None
    image = choose_image(name, features, *wanted)
    size, revision = measure(files)
    groups = [footer.row_group(i).total_byte_size for footer in footers for i in range(footer.num_row_groups)]
    return Source(
        name=name,
        kind="parquet",
        split=split,
        config=listing.config,
        revision=revision,
        image_column=image,
        features=features,
        payload_columns=payload_columns(features, image),
        rows=sum(footer.num_rows for footer in footers),
        bytes=size,
        files=tuple(files),
        root=listing.root,
        licence=card_text(listing.card.get("license")),
        credit=card_text(listing.card.get("credit")),
        file_rows=tuple(footer.num_rows for footer in footers),
        row_group_bytes=max(groups, default=0),
    )


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
                return pq.read_metadata(file)
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


def card_text(value: Any) -> str | None:
    """A field of a dataset card, which may be a list, as one line."""
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return " ".join(str(value).split()) if value else None
