"""A local folder as `datasets` sees it, asked for without a cache and without opening one image."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.sources.parquet import Listing, Wanted, card_text, is_parquet, parquet_source, split_files
from pipeline.sources.payload_fields import payload_columns
from pipeline.sources.source import Source, choose_image, refuse_config

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import DatasetBuilder, Features


def builder(root: Path, config: str | None, cache: str) -> DatasetBuilder:
    """The builder for a folder: parquet where it is one in the Hub's layout, otherwise imagefolder.

    Raises:
        SimileError: an empty folder, no images, or an unknown configuration.
    """
    from datasets import load_dataset_builder
    from datasets.data_files import EmptyDatasetError
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder
    from datasets.packaged_modules.parquet.parquet import Parquet

    try:
        found = load_dataset_builder(str(root), name=config, cache_dir=cache)
    except EmptyDatasetError:
        raise SimileError(
            f"'{root}' is empty; expected images, or parquet files in the Hub's layout"
        ) from None
    except (ValueError, FileNotFoundError) as error:
        refuse_config(str(root), config, error)
        found = None
    if isinstance(found, Parquet):
        return found
    images = _image_files(root)
    if not images:
        raise SimileError(
            f"'{root}' has no images; expected files such as .jpg, .png or .webp, "
            "or parquet files in the Hub's layout"
        )
    if isinstance(found, ImageFolder) and (_listed(found) >= len(images) or not _split_by_file_name(root)):
        return found
    # `datasets` would take a picture called train.jpg for the whole split "train", and a folder with more
    # text files than images for a text dataset. Here every image of a folder counts.
    return load_dataset_builder(
        "imagefolder", data_dir=str(root), data_files={"train": "**"}, cache_dir=cache
    )


def card(root: Path) -> dict[str, Any]:
    """The fields of the dataset card, where the folder has one."""
    from huggingface_hub import DatasetCard
    from yaml import YAMLError

    try:
        fields: dict[str, Any] = DatasetCard.load(root / "README.md").data.to_dict()
        return fields
    except (OSError, ValueError, YAMLError):
        return {}  # none, or a README that is no card


def read_listing(found: DatasetBuilder, split: str, prefix: str, name: str) -> tuple[Features, pa.Table]:
    """Features, and one row an image: its path relative to `prefix` and its metadata, sorted by path.

    Raises:
        SimileError: the metadata do not fit the images.
    """
    import pyarrow as pa
    from datasets import Image

    try:
        rows = found.as_streaming_dataset(split=split)
        features = rows.features
        images = [column for column, feature in features.items() if isinstance(feature, Image)]
        listed = list(rows.decode(False))
    except (ValueError, TypeError, KeyError, OSError, pa.ArrowInvalid) as error:
        raise SimileError(f"the metadata of '{name}' cannot be used: {error}") from None
    for row in listed:
        for column in images:
            row[column] = _relative(row[column], prefix)
    if images:
        # File systems list in no fixed order, and neither do several metadata files.
        listed.sort(key=lambda row: (row[images[0]] or "", repr(row)))
    schema = features.arrow_schema
    fields = [pa.field(f.name, pa.string()) if f.name in images else f for f in schema]
    return features, pa.Table.from_pylist(listed, schema=pa.schema(fields))


def _relative(image: dict[str, Any] | None, prefix: str) -> str | None:
    return image["path"].removeprefix(prefix) if image and image.get("path") else None


def _image_files(root: Path) -> list[str]:
    """Visible files that imagefolder takes for images, by their extension."""
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder

    extensions = set(ImageFolder.EXTENSIONS)
    found = []
    for folder, folders, files in os.walk(root):  # follows no links, so it cannot go round in circles
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]  # as `datasets` does
        visible = [name for name in files if not name.startswith(".")]
        found += [str(Path(folder, name)) for name in visible if Path(name).suffix.lower() in extensions]
    return found


def _listed(found: DatasetBuilder) -> int:
    extensions = set(type(found).EXTENSIONS)
    files = (file for split in found.config.data_files.values() for file in split)
    return sum(Path(file).suffix.lower() in extensions for file in files)


def _split_by_file_name(root: Path) -> bool:
    from datasets.data_files import DEFAULT_PATTERNS_SPLIT_IN_FILENAME, get_data_patterns

    names = {pattern for patterns in DEFAULT_PATTERNS_SPLIT_IN_FILENAME.values() for pattern in patterns}
    return any(pattern in names for patterns in get_data_patterns(str(root)).values() for pattern in patterns)


def fingerprint(files: Sequence[str], root: str) -> tuple[int, str]:
    """Bytes of all files together, and a hash of their names, sizes and modification times."""
    digest, size = hashlib.blake2b(digest_size=16), 0
    for file in sorted(set(files)):
        try:
            found = Path(file).stat()
        except OSError:
            digest.update(f"{file.removeprefix(root)}\0gone\n".encode())
            continue
        size += found.st_size
        digest.update(f"{file.removeprefix(root)}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return size, digest.hexdigest()


def resolve_local(root: Path, split: str, wanted: Wanted, config: str | None) -> Source:
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise SimileError(f"'{root}' {what}; expected a folder of images or a dataset in the Hub's layout")
    with (
        tempfile.TemporaryDirectory() as cache
    ):  # a lasting cache would go on serving files that have changed
        found = builder(root, config, cache)
        splits = {str(name): list(files) for name, files in (found.config.data_files or {}).items()}
        about = card(root)
        prefix = f"{root.resolve()}/"
        listing = Listing(found.config.name, splits, found.info.features, prefix, about)
        if is_parquet(found):
            return parquet_source(str(root), listing, split, wanted, partial(fingerprint, root=prefix))
        split_files(str(root), listing, split)
        features, table = read_listing(found, split, prefix, str(root))
    image = choose_image(str(root), features, *wanted)
    missing = table[image].null_count
    if not table.num_rows or missing == table.num_rows:
        raise SimileError(
            f"'{root}' has no images in split '{split}'; expected files such as .jpg, .png or .webp"
        )
    files = tuple(prefix + file for file in table[image].to_pylist() if file is not None)
    size, digest = fingerprint([*files, *splits[split]], prefix)
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
        licence=card_text(about.get("license")),
        credit=card_text(about.get("credit")),
        table=table,
    )
