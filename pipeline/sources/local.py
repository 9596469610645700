"""A path on this machine: a folder of pictures, or parquet files in the Hub's layout."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.sources.folder import folder_source
from pipeline.sources.listing import FolderListing, fingerprint_of, list_folder
from pipeline.sources.parquet import Listing, is_parquet, parquet_source
from pipeline.sources.schemas import features_of
from pipeline.sources.source import Source, Wanted, is_image, refuse_config

if TYPE_CHECKING:
    from datasets import DatasetBuilder

__all__ = ["resolve_local"]

_PATTERN = "*?["  # `datasets` takes a root with one of these for a pattern


def resolve_local(
    root: Path, split: str, wanted: Wanted, config: str | None, follow_links: bool = False
) -> Source:
    """What lies at an absolute path.

    Raises:
        SimileError: no folder, nothing to index in it, or an unknown split, configuration or image column.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise SimileError(f"'{root}' {what}; expected a folder of images or a dataset in the Hub's layout")
    listing, about = list_folder(str(root), follow_links), _card(root)
    if not _is_dataset(listing):
        return folder_source(str(root), listing, split, wanted, config, about)
    with (
        tempfile.TemporaryDirectory() as place
    ):  # a lasting cache would go on serving files that have changed
        alone = bool(listing.pictures) or set(_PATTERN) & set(str(root))
        seen = _parquet_alone(root, listing, Path(place)) if alone else root
        found = _builder(seen, str(root), config, place)
        prefix, real = f"{seen.resolve()}/", f"{root.resolve()}/"
        splits = {
            str(name): [
                real + file.removeprefix(prefix) if file.startswith(prefix) else file for file in files
            ]
            for name, files in (found.config.data_files or {}).items()
        }
        hub = Listing(found.config.name, splits, found.info.features, real, about)
        return parquet_source(str(root), hub, split, wanted, partial(fingerprint_of, root=real))


def _is_dataset(listing: FolderListing) -> bool:
    """Whether parquet files hold the pictures; otherwise they are something else beside them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [*listing.parquet, *(file for file in listing.metadata if file.path.endswith(".parquet"))]
    if not listing.pictures or not listing.parquet:
        return bool(tables) and not listing.pictures
    try:
        schema = pq.read_schema(listing.root + listing.parquet[0].path)
    except (pa.ArrowInvalid, OSError):
        return False
    return any(is_image(feature) for feature in features_of(schema).values())


def _parquet_alone(root: Path, listing: FolderListing, place: Path) -> Path:
    """A folder of links to the dataset's files, whose own path is no pattern. Where a folder holds pictures
    as well, `datasets` might take these for the dataset."""
    seen = place / "dataset"
    names = [file.path for file in (*listing.parquet, *listing.metadata)]
    for name in [*names, *(["README.md"] if (root / "README.md").is_file() else [])]:
        (seen / name).parent.mkdir(parents=True, exist_ok=True)
        (seen / name).symlink_to(root / name)
    return seen


def _builder(root: Path, name: str, config: str | None, cache: str) -> DatasetBuilder:
    """What `datasets` would read the folder with; it knows splits and configurations of the Hub's layout."""
    from datasets import load_dataset_builder
    from datasets.data_files import EmptyDatasetError

    try:
        found = load_dataset_builder(str(root), name=config, cache_dir=cache)
    except EmptyDatasetError:
        found = None
    except (ValueError, FileNotFoundError) as error:
        refuse_config(name, config, error)
        found = None
    if found is None or not is_parquet(found):
        raise SimileError(
            f"'{name}' has parquet files, and not in the Hub's layout; expected names such as "
            "data/train-00000-of-00001.parquet"
        )
    return found


def _card(root: Path) -> dict[str, Any]:
    """The fields of the dataset card, where the folder has one."""
    from huggingface_hub import DatasetCard
    from yaml import YAMLError

    try:
        fields: dict[str, Any] = DatasetCard.load(root / "README.md").data.to_dict()
        return fields
    except (OSError, ValueError, YAMLError):
        return {}  # none, or a README that is no card
