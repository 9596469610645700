"""A folder of pictures as rows: labels from its sub-folders, and what its metadata say of each picture."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import NoSplitError, SimileError
from pipeline.sources.extensions import kind_of
from pipeline.sources.folder_reader import FolderReader, places_of
from pipeline.sources.listing import FolderListing, fingerprint
from pipeline.sources.metadata import Metadata, read_metadata
from pipeline.sources.payload_fields import payload_columns
from pipeline.sources.schemas import features_of
from pipeline.sources.source import Fault, Source, Wanted, card_text, choose_image
from pipeline.sources.walk import ListedFile, raw_name, readable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["folder_source"]

LABEL, PATH = "label", "path"  # payload fields that a folder gives, unless its metadata have one of that name


@dataclass(frozen=True)
class _Rows:
    """The rows of a split: one for each time that metadata name a picture, else one.

    Attributes:
        files: of N rows, sorted by path.
        metadata: the row of the metadata that each has, None where nothing is said of it.
        faults: rows of the metadata that name no picture.
    """

    files: list[ListedFile]
    metadata: list[int | None]
    faults: tuple[Fault, ...]


def folder_source(
    name: str, listing: FolderListing, split: str, wanted: Wanted, config: str | None, card: dict[str, Any]
) -> Source:
    """The source that a folder of pictures is.

    Raises:
        SimileError: no pictures, an unknown split, configuration or image column, or metadata that cannot be
            used.
    """
    if not listing.pictures:
        raise SimileError(_no_pictures(name, listing))
    if config not in (None, "default"):
        raise SimileError(f"'{name}' has no configuration '{config}'; there are: default")
    splits = listing.splits()
    if split not in splits:
        raise NoSplitError(f"'{name}' has no split '{split}'; there are: {', '.join(sorted(splits))}")
    folders = splits[split]
    elsewhere = tuple(each for other, named in splits.items() if other != split for each in named)
    about = [file for file in listing.metadata if not file.path.startswith(elsewhere)]
    metadata = read_metadata(listing.root, [file.path for file in about])
    rows = _rows(listing, folders, metadata)
    table, features, path_column = _table(rows, folders, metadata)
    image = choose_image(name, features, *wanted)
    measured = fingerprint([*rows.files, *about])
    return Source(
        name=name,
        kind="imagefolder",
        split=split,
        config="default",
        revision=measured.revision,
        image_column=image,
        features=features,
        payload_columns=payload_columns(features, image),
        rows=table.num_rows,
        bytes=measured.bytes,
        files=(),
        root=listing.root,
        licence=card_text(card.get("license")),
        credit=card_text(card.get("credit")),
        table=table,
        reader=FolderReader(listing.root),
        path_column=path_column,
        left_out=_left_out(listing, rows, splits, split),
        faults=rows.faults,
        unlisted=len(listing.unreadable()),
        notes=listing.notes() + _said_of_metadata(metadata, rows),
    )


def _no_pictures(name: str, listing: FolderListing) -> str:
    if not (listing.others or listing.metadata or listing.skipped):
        return f"'{name}' is empty; expected images, or parquet files in the Hub's layout"
    kinds = listing.left_out({file.path for file in listing.metadata}, {})
    there = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()) or "metadata"
    notes = "".join(f". {note}" for note in listing.notes())
    return (
        f"'{name}' has no images; expected files such as .jpg, .png or .webp, or parquet files in the Hub's "
        f"layout, and found {there}{notes}"
    )


def _left_out(
    listing: FolderListing, rows: _Rows, splits: Mapping[str, tuple[str, ...]], split: str
) -> dict[str, int]:
    taken = {file.path for file in (*rows.files, *listing.metadata)}
    told = {
        file.path: f"of split {other}"
        for other, folders in splits.items()
        if other != split
        for file in listing.pictures
        if file.path.startswith(folders)
    }
    return listing.left_out(taken, told)


def _said_of_metadata(metadata: Metadata | None, rows: _Rows) -> tuple[str, ...]:
    if metadata is None:
        return ()
    silent = sum(row is None for row in rows.metadata)
    if not silent or not metadata.places:
        return metadata.notes
    pictures = "1 picture has" if silent == 1 else f"{silent:,} pictures have"
    return (*metadata.notes, f"{pictures} no row in the metadata; their fields are empty")


def _rows(listing: FolderListing, folders: tuple[str, ...], metadata: Metadata | None) -> _Rows:
    files = {file.path: file for file in listing.pictures if file.path.startswith(folders)}
    if metadata is None:
        return _Rows(list(files.values()), [None] * len(files), ())
    names = _Names(listing)
    rows: dict[str, list[int]] = {}
    faults = []
    for row, (named, place) in enumerate(zip(metadata.pictures, metadata.places, strict=True)):
        file = names.find(named)
        if file is None or (file.path not in names.pictures and kind_of(file.path)):
            faults.append(Fault(place, _fault(named, file)))
        elif file.path.startswith(folders):
            files[file.path] = file
            rows.setdefault(file.path, []).append(row)
    ordered: list[tuple[ListedFile, int | None]] = []
    for path in sorted(files):
        ordered += [(files[path], row) for row in rows.get(path, [None])]
    return _Rows([file for file, _ in ordered], [row for _, row in ordered], tuple(faults))


def _fault(named: str, file: ListedFile | None) -> str:
    if not named:
        return "the row names no file"
    if file is None:
        return "the row names a file that is not in the source"
    return f"the row names a file that is not read: .{kind_of(file.path)}"


class _Names:
    """The files that metadata may name, also by the other ways to write a name."""

    def __init__(self, listing: FolderListing) -> None:
        self.root = listing.root
        self.pictures = {file.path for file in listing.pictures}
        self.files = {file.path: file for file in (*listing.others, *listing.pictures)}
        self._others: dict[str, ListedFile] | None = None

    def find(self, named: str) -> ListedFile | None:
        """The file of this name: as it stands, or from the root on, with `\\` between folders, `./` in front,
        composed of other code points (as macOS writes é), in Latin-1, or as Simile shows it."""
        if not named:
            return None
        named = named.removeprefix(self.root)
        return (
            self.files.get(named)
            or self.files.get(raw_name(named))
            or self.files.get(os.path.normpath(named))
            or self.files.get(os.path.normpath(named.replace("\\", "/")))
            or self._by_other_bytes(os.path.normpath(named.replace("\\", "/")))
        )

    def _by_other_bytes(self, named: str) -> ListedFile | None:
        if self._others is None:
            plain = {path: file for path, file in self.files.items() if not path.isascii()}
            self._others = {_composed(path): file for path, file in plain.items()}
        return self._others.get(_composed(named))


def _composed(path: str) -> str:
    if path != readable(path):
        path = os.fsencode(path).decode("latin-1")
    return unicodedata.normalize("NFC", path)


def _table(
    rows: _Rows, folders: tuple[str, ...], metadata: Metadata | None
) -> tuple[pa.Table, Any, str | None]:
    """The rows with their columns, the features of these, and the column that holds paths."""
    import pyarrow as pa
    from datasets import ClassLabel, Features, Image, Value

    told = metadata.table if metadata else pa.table({})
    # The column that names pictures is not in `told`, so one of the two names is free.
    image = "image" if "image" not in told.column_names else "file_name"
    paths = [file.path for file in rows.files]
    columns: dict[str, Any] = {image: places_of(rows.files)}
    features: dict[str, Any] = {image: Image()}
    parents = _parents(paths, folders)
    least = 2 if told.num_columns else 1  # images/ beside metadata is a place to keep them, and no label
    if LABEL not in told.column_names and any(parents) and len(set(parents)) >= least:
        names = sorted({parent for parent in parents if parent})
        number = {name: at for at, name in enumerate(names)}
        columns[LABEL] = pa.array([number.get(parent) for parent in parents], pa.int64())
        features[LABEL] = ClassLabel(names=names)
    at = pa.array(rows.metadata, pa.int64())
    for column, feature in features_of(told.schema).items():
        columns[column] = told[column].take(at)
        features[column] = feature
    path_column = None if PATH in told.column_names else PATH
    if path_column:
        columns[PATH] = pa.array([readable(path) for path in paths], pa.string())
        features[PATH] = Value("string")
    return pa.table(columns), Features(features), path_column


def _parents(paths: Sequence[str], folders: tuple[str, ...]) -> list[str]:
    """The name of the folder that each file lies in; empty for the root of the source, or of a split."""
    found = []
    for path in paths:
        top = next(folder for folder in folders if path.startswith(folder))
        found.append(readable(path[len(top) :].rpartition("/")[0].rpartition("/")[2]))
    return found
