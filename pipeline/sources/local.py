"""Folders of parquet files in the Hub's layout."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import SimileError
from pipeline.sources.layout import hub_builder
from pipeline.sources.listing import FolderListing, fingerprint_of, with_parquet_left_out
from pipeline.sources.parquet import Listing, is_parquet, parquet_source
from pipeline.sources.source import Asked, Source

__all__ = ["local_parquet"]

_PATTERN = "*?["  # `datasets` takes a root with one of these for a pattern


def local_parquet(root: Path, listing: FolderListing, about: dict[str, Any], asked: Asked) -> Source:
    """The source that a folder of parquet files is.

    Args:
        listing: of the folder.
        about: fields of the dataset card.

    Raises:
        SimileError: names that are not those of the Hub, or an unknown split, configuration or image column.
    """
    with (
        tempfile.TemporaryDirectory() as place
    ):  # a lasting cache would go on serving files that have changed
        alone = bool(listing.pictures) or set(_PATTERN) & set(str(root))
        seen = _parquet_alone(root, listing, Path(place)) if alone else root
        found = hub_builder(str(seen), str(root), asked.config, place)
        if found is None or not is_parquet(found):
            raise SimileError(
                f"'{root}' has parquet files, but not in the Hub's layout; expected names such as "
                "data/train-00000-of-00001.parquet"
            )
        prefix, real = f"{seen.resolve()}/", f"{root.resolve()}/"
        splits = {
            str(name): [
                real + file.removeprefix(prefix) if file.startswith(prefix) else file for file in files
            ]
            for name, files in (found.config.data_files or {}).items()
        }
        hub = Listing(found.config.name, splits, found.info.features, real, about)
        source = parquet_source(str(root), hub, asked, partial(fingerprint_of, root=real))
        return with_parquet_left_out(source, listing, splits)


def _parquet_alone(root: Path, listing: FolderListing, place: Path) -> Path:
    """A folder of links to the dataset's files, whose own path is no pattern. Where a folder holds pictures
    as well, `datasets` might take these for the dataset."""
    seen = place / "dataset"
    names = [file.path for file in (*listing.parquet, *listing.metadata)]
    for name in [*names, *(["README.md"] if (root / "README.md").is_file() else [])]:
        (seen / name).parent.mkdir(parents=True, exist_ok=True)
        (seen / name).symlink_to(root / name)
    return seen
