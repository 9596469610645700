"""A path of this machine or an address of an object store: a file, or a folder of one kind or another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import NoSplitError, SimileError
from pipeline.home import is_remote
from pipeline.printable import printable
from pipeline.sources.address_list import list_source
from pipeline.sources.extensions import kind_of
from pipeline.sources.folder import folder_source
from pipeline.sources.layout import card_fields, layout_of
from pipeline.sources.listing import (
    OTHER_TAR,
    FolderListing,
    fingerprint,
    list_folder,
    with_left_out,
    with_parquet_left_out,
)
from pipeline.sources.local import local_parquet
from pipeline.sources.parquet import Listing, parquet_source
from pipeline.sources.single_file import TAKEN, file_source, holds_images, is_pattern, refuse_kind
from pipeline.sources.source import Asked, Measured, Source
from pipeline.sources.storage import is_file, read_file
from pipeline.sources.table_file import TABLES
from pipeline.sources.walk import readable
from pipeline.sources.webdataset import tar_source

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["folder_at", "resolve_place"]


def resolve_place(location: str, asked: Asked) -> Source:
    """What lies at an absolute path or an address.

    Raises:
        SimileError: nothing that can be indexed, or an unknown split, configuration or column.
    """
    name = location if is_remote(location) else str(Path(location))
    try:
        is_single = is_pattern(location) or is_file(location)
    except OSError as error:  # of an object store; of this machine such a path was refused before
        raise SimileError(
            f"'{name}' cannot be accessed: {printable(error, 300)}; check the address, and that the keys in "
            "use may read it"
        ) from None
    if is_single:
        return file_source(name, location, asked)
    if not is_remote(location) and not Path(location).is_dir():
        raise SimileError(f"'{name}' does not exist; expected {TAKEN}")
    if kind_of(name.rstrip("/")) == "lance":
        refuse_kind(name.rstrip("/"))
    return folder_at(name, location, asked)


def folder_at(name: str, location: str, asked: Asked) -> Source:
    """The source that a folder is: images, parquet, tars, or lists.

    Args:
        name: what was asked for.
        location: of the folder.

    Raises:
        SimileError: as `resolve_place`.
    """
    listing = list_folder(location, asked.follow_links)
    card = _card(listing.root)
    about = card_fields(card.decode(errors="replace")) if card else {}
    if asked.url_column is not None:
        return _lists(name, listing, asked)
    if _is_dataset(listing):
        if not is_remote(location):
            return local_parquet(Path(location), listing, about, asked)
        return _remote_parquet(name, listing, card, about, asked)
    tars = [file.path for file in listing.others if kind_of(file.path) == "tar"]
    if tars and not listing.pictures:
        return _tars(name, listing, tars, card, asked)
    return folder_source(name, listing, asked.split, asked.wanted, asked.config, about)


def _is_dataset(listing: FolderListing) -> bool:
    """Whether parquet files hold the pictures; otherwise they are something else beside them."""
    tables = [*listing.parquet, *(file for file in listing.metadata if file.path.endswith(".parquet"))]
    if not listing.pictures or not listing.parquet:
        return bool(tables) and not listing.pictures
    return holds_images(listing.root + listing.parquet[0].path)


def _remote_parquet(
    name: str, listing: FolderListing, card: bytes | None, about: dict[str, Any], asked: Asked
) -> Source:
    files = {file.path: file for file in (*listing.parquet, *listing.metadata)}
    names = [path for path in files if kind_of(path) == "parquet"]
    layout = layout_of(name, names, asked.config, card)
    splits = {split: [listing.root + path for path in paths] for split, paths in layout.splits.items()}
    found = Listing(layout.config, splits, layout.features, listing.root, about)

    def measure(locations: list[str]) -> Measured:
        return fingerprint(files[location.removeprefix(listing.root)] for location in locations)

    return with_parquet_left_out(parquet_source(name, found, asked, measure), listing, splits)


def _tars(name: str, listing: FolderListing, tars: Sequence[str], card: bytes | None, asked: Asked) -> Source:
    layout = layout_of(name, tars, asked.config, card)
    if asked.split not in layout.splits:
        raise NoSplitError(
            f"'{name}' has no split '{asked.split}'; there are: {', '.join(sorted(layout.splits))}"
        )
    chosen = set(layout.splits[asked.split])
    source = tar_source(
        name,
        listing.root,
        sorted(chosen),
        asked,
        measured=fingerprint(file for file in listing.others if file.path in chosen),
        config=layout.config,
        card=card_fields(card.decode(errors="replace")) if card else {},
    )
    elsewhere = dict.fromkeys(set(tars) - chosen, OTHER_TAR)
    return with_left_out(source, listing, chosen, elsewhere)


def _lists(name: str, listing: FolderListing, asked: Asked) -> Source:
    lists = [file for file in (*listing.others, *listing.metadata) if kind_of(file.path) in TABLES]
    if not lists:
        raise SimileError(f"'{readable(name)}' has no list; expected .{', .'.join(TABLES)} for --url-column")
    lists.sort(key=lambda file: file.path)
    source = list_source(name, listing.root, [file.path for file in lists], asked, fingerprint(lists))
    # Its pictures are those that the rows name, and nobody knows yet which these are.
    taken = {file.path for file in (*lists, *listing.pictures)}
    return with_left_out(source, listing, taken, {})


def _card(root: str) -> bytes | None:
    try:
        return read_file(f"{root}README.md", 2**20)
    except OSError:
        return None
