"""A Hub id, a mirror in the Hub's layout or a folder of images, as something that can be read row by row.

`datasets` says what there is (configurations, splits, features, class names); the bytes go through Ray Data.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pipeline import _folder, _hub
from pipeline._columns import choose_image, payload_columns
from pipeline._rows import decode_payload, image_bytes, read_rows
from pipeline.errors import SimileError

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import DatasetBuilder, Features

__all__ = ["Source", "decode_payload", "image_bytes", "public_name", "read_rows", "resolve_source"]

FOOTER_READERS = 16  # threads; a footer costs the Hub's latency, not the CPU
RESERVED = ("row_key", "file", "image")  # what a row of `read_rows` calls its own columns


@dataclass(frozen=True)
class Source:
    """One split of one dataset, resolved: what to read and what is in it."""

    name: str  # what was asked for: a Hub id or an absolute path
    kind: Literal["parquet", "imagefolder"]
    split: str
    config: str | None
    revision: str | None  # Hub commit; of a local source a hash of file names, sizes and modification times
    image_column: str
    features: Features
    payload_columns: tuple[str, ...]  # all columns without images or sound
    rows: int
    bytes: int | None  # on disk
    files: tuple[str, ...]  # absolute paths or hf:// paths
    root: str  # what all of `files` begin with
    licence: str | None = None  # from the dataset card
    credit: str | None = None  # from the dataset card
    file_rows: tuple[int, ...] = ()  # parquet: rows of each of `files`
    row_group_bytes: int = 0  # parquet: the largest row group, uncompressed
    table: pa.Table | None = field(
        default=None, repr=False, compare=False
    )  # folder: files and their metadata

    def row_name(self, column: str) -> str:
        """The name that a payload column has in `read_rows`: its own, unless Simile uses that one."""
        return f"source_{column}" if column in RESERVED else column


def public_name(source: str) -> str:
    """What others may read of a source: a Hub id whole; of a folder, on Windows too, the last part only."""
    is_folder = PurePosixPath(source).is_absolute() or PureWindowsPath(source).is_absolute()
    return PureWindowsPath(source).name if is_folder else source


class _Wanted(NamedTuple):
    """The image column asked for."""

    column: str | None
    strict: bool  # whether it must be that one


class _Listing(NamedTuple):
    """What `datasets` found, before a split and an image column are chosen."""

    config: str | None
    splits: dict[str, list[str]]
    features: Features | None
    root: str
    card: dict[str, Any]
    revision: str | None  # None: local


def resolve_source(
    source: str,
    *,
    split: str = "train",
    image_column: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    strict: bool = True,
) -> Source:
    """Find out what `source` is. Reads file names, metadata and parquet footers, but no image.

    Args:
        source: a path if it exists or begins with `.`, `/` or `~`; otherwise a Hub id `org/name`.
        split: one of the splits that `datasets` sees.
        image_column: needed only where there are several; by default the first.
        config: the configuration (subset), where there are several.
        revision: branch, tag or commit on the Hub.
        strict: whether another image column than `image_column` is refused, or taken where that is not there.

    Raises:
        SimileError: nothing there, no images, an unknown split, column or configuration, or the Hub does not
            show it.
    """
    wanted = _Wanted(image_column, strict)
    if Path(source).expanduser().exists() or source.startswith((".", "/", "~")):
        # Absolute at once: a job may run elsewhere.
        return _resolve_local(Path(source).expanduser().absolute(), split, wanted, config)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        raise SimileError(
            f"'{source}' is neither an existing folder nor a Hub id; expected a path or org/name"
        )
    return _resolve_hub(source, split, wanted, config, revision)


def _resolve_local(root: Path, split: str, wanted: _Wanted, config: str | None) -> Source:
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise SimileError(f"'{root}' {what}; expected a folder of images or a dataset in the Hub's layout")
    with (
        tempfile.TemporaryDirectory() as cache
    ):  # a cache that outlives the call would serve what has changed
        builder = _folder.builder(root, config, cache)
        splits = {str(name): list(files) for name, files in (builder.config.data_files or {}).items()}
        card = _folder.card(root)
        prefix = f"{root.resolve()}/"
        listing = _Listing(builder.config.name, splits, builder.info.features, prefix, card, None)
        if _is_parquet(builder):
            return _parquet_source(str(root), listing, split, wanted)
        _split_files(str(root), listing, split)
        features, table = _folder.read_listing(builder, split, prefix, str(root))
    image = choose_image(str(root), features, *wanted)
    missing = table[image].null_count
    if not table.num_rows or missing == table.num_rows:
        raise SimileError(
            f"'{root}' has no images in split '{split}'; expected files such as .jpg, .png or .webp"
        )
    files = tuple(prefix + file for file in table[image].to_pylist() if file is not None)
    size, digest = _folder.fingerprint([*files, *splits[split]], prefix)
    return Source(
        name=str(root),
        kind="imagefolder",
        split=split,
        config=listing.config,
        revision=digest,
        image_column=image,
        features=features,
        payload_columns=payload_columns(features, image),
        rows=table.num_rows,
        bytes=size,
        files=files,
        root=prefix,
        licence=_text(card.get("license")),
        credit=_text(card.get("credit")),
        table=table,
    )


def _resolve_hub(name: str, split: str, wanted: _Wanted, config: str | None, revision: str | None) -> Source:
    from datasets import load_dataset_builder

    info = _hub.dataset_info(name, revision)  # first and once: says in seconds whether anything else can work
    card = info.card_data.to_dict() if info.card_data else {}
    root = f"hf://datasets/{name}@{info.sha}/"
    with tempfile.TemporaryDirectory() as cache:
        try:
            builder = load_dataset_builder(name, name=config, revision=info.sha, cache_dir=cache)
        except (ValueError, RuntimeError, FileNotFoundError) as error:
            _hub.refuse_config(name, config, error)
            builder = None  # a script, or nothing that `datasets` reads; the Hub may have converted it
        except OSError as error:  # of the Hub too: HfHubHTTPError is one
            raise _hub.unreachable(name, error) from None
        if builder is not None and _is_parquet(builder):
            splits = {str(key): list(files) for key, files in builder.config.data_files.items()}
            listing = _Listing(builder.config.name, splits, builder.info.features, root, card, info.sha)
            return _parquet_source(name, listing, split, wanted)
    commit, found = _hub.converted_files(name)
    chosen = config or ("default" if "default" in found else next(iter(found), None))
    if chosen not in found:
        raise SimileError(f"dataset '{name}' has no configuration '{chosen}'; there are: {', '.join(found)}")
    root = f"hf://datasets/{name}@{commit}/"
    return _parquet_source(name, _Listing(chosen, found[chosen], None, root, card, commit), split, wanted)


def _is_parquet(builder: DatasetBuilder) -> bool:
    from datasets.packaged_modules.parquet.parquet import Parquet

    return isinstance(builder, Parquet)


def _parquet_source(name: str, listing: _Listing, split: str, wanted: _Wanted) -> Source:
    from datasets import Features

    files = _split_files(name, listing, split)
    foreign = next((file for file in files if not file.startswith(listing.root)), None)
    if foreign:
        raise SimileError(f"'{name}' refers to '{foreign}' outside itself; copy the files into one folder")
    footers = _footers(name, files)
    schema = footers[0].schema.to_arrow_schema()
    features = listing.features
    if features is None or not set(features) <= set(schema.names):
        features = Features.from_arrow_schema(schema)
    image = choose_image(name, features, *wanted)
    if listing.revision is None:
        size, revision = _folder.fingerprint(files, listing.root)
    else:
        size, revision = _hub.file_sizes(name, listing.revision, files, listing.root), listing.revision
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
        licence=_text(listing.card.get("license")),
        credit=_text(listing.card.get("credit")),
        file_rows=tuple(footer.num_rows for footer in footers),
        row_group_bytes=max(groups, default=0),
    )


def _split_files(name: str, listing: _Listing, split: str) -> list[str]:
    if split not in listing.splits:
        raise SimileError(f"'{name}' has no split '{split}'; there are: {', '.join(sorted(listing.splits))}")
    return sorted(listing.splits[split])


def _footers(name: str, files: Sequence[str]) -> list[Any]:
    """The `pyarrow.parquet.FileMetaData` of each file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    remote = files[0].startswith("hf://")
    storage = _hub.filesystem() if remote else None
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


def _text(value: Any) -> str | None:
    """A field of a dataset card, which may be a list, as one line."""
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return " ".join(str(value).split()) if value else None
