"""What a source is once it was found: its files, its columns, and which of them holds the images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import SimileError

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

__all__ = ["Source", "choose_image", "is_image", "public_name", "refuse_config"]


def refuse_config(name: str, config: str | None, error: Exception) -> None:
    """Raise for an unknown or missing configuration, with the names that `datasets` lists in its message."""
    listed = re.search(r"(not found\. Available|available configs): \[(.*?)\]", str(error), re.DOTALL)
    if listed:
        asked = f"has no configuration '{config}'" if config else "has several configurations; name one"
        raise SimileError(f"'{name}' {asked}; there are: {listed[2].replace(chr(39), '')}") from None


ROW_COLUMNS = ("row_key", "file", "image")  # what a row of `read_rows` calls its own columns


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
    separators: Mapping[str, str] = field(default_factory=dict)  # text columns that are read as lists

    def row_name(self, column: str) -> str:
        """The name that a payload column has in `read_rows`: its own, unless Simile uses that one."""
        return f"source_{column}" if column in ROW_COLUMNS else column


def public_name(source: str) -> str:
    """What others may read of a source: a Hub id whole; of a folder, on Windows too, the last part only."""
    is_folder = PurePosixPath(source).is_absolute() or PureWindowsPath(source).is_absolute()
    return PureWindowsPath(source).name if is_folder else source


def choose_image(name: str, features: Features, asked: str | None, strict: bool = True) -> str:
    """The image column that was asked for, or else the first one; not `strict`: also where that is not there.

    Raises:
        SimileError: there is none, or not the one that was asked for; the message lists those that are there.
    """
    found = [column for column, feature in features.items() if is_image(feature)]
    # A column that nobody declared an image may still be one; it has to be asked for by name.
    if asked in features and (asked in found or getattr(features[asked], "dtype", None) == "binary"):
        return str(asked)
    if asked is not None and (strict or not found):
        there = f"image columns: {', '.join(found)}" if found else f"columns: {', '.join(features)}"
        raise SimileError(f"'{name}' has no image column '{asked}'; it has the {there}")
    if not found:
        raise SimileError(
            f"'{name}' has no image column, only {', '.join(features)}; name the one that holds image files"
        )
    return str(found[0])


def is_image(feature: Any) -> bool:
    """Declared an image, or laid out as `datasets` lays out images: struct<bytes: binary, path: string>."""
    from datasets import Image

    if isinstance(feature, dict) and set(feature) == {"bytes", "path"}:
        return getattr(feature["bytes"], "dtype", None) == "binary"
    return isinstance(feature, Image)
