"""What lies in a folder: pictures, what is written about them, and everything else by its kind."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import SimileError
from pipeline.home import is_remote
from pipeline.sources.extensions import PICTURES, kind_of
from pipeline.sources.metadata import METADATA_FILES
from pipeline.sources.source import FileState, Measured, Source
from pipeline.sources.storage import HUB, list_remote
from pipeline.sources.walk import ListedFile, readable, walk

__all__ = [
    "OTHER_TAR",
    "FolderListing",
    "fingerprint",
    "fingerprint_of",
    "list_folder",
    "listing_of",
    "most_frequent_first",
    "with_left_out",
    "with_parquet_left_out",
]

OTHER_TAR = ".tar of another split"  # a kind of files that are left out
# Folders of these names are splits where every picture lies in one of them; the same as in `datasets`.
_SPLITS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SPLIT_OF = {folder: split for split, folders in _SPLITS.items() for folder in folders}


@dataclass(frozen=True)
class FolderListing:
    """Every file of a folder, each in one of four lists that are sorted by path.

    Attributes:
        root: absolute, with `/` at its end.
        pictures: files with the ending of a picture.
        metadata: those that say something of pictures.
        others: all other files that could be read.
        skipped: files and folders that could not, or must not, be read.
    """

    root: str
    pictures: list[ListedFile]
    metadata: list[ListedFile]
    others: list[ListedFile]
    skipped: list[ListedFile]

    @property
    def parquet(self) -> list[ListedFile]:
        """Parquet files that are no metadata."""
        return [file for file in self.others if kind_of(file.path) == "parquet"]

    def splits(self) -> dict[str, tuple[str, ...]]:
        """Split -> the folders that it consists of, with `/` at their ends; "" is the whole folder."""
        tops = {file.path.partition("/")[0] if "/" in file.path else "" for file in self.pictures}
        if not tops or not all(top.lower() in _SPLIT_OF for top in tops):
            return {"train": ("",)}
        found: dict[str, tuple[str, ...]] = {}
        for top in sorted(tops):
            split = _SPLIT_OF[top.lower()]
            found[split] = (*found.get(split, ()), f"{top}/")
        return found

    def left_out(self, taken: Container[str], told: Mapping[str, str]) -> dict[str, int]:
        """Kind -> files that are no rows and say nothing of any, the most frequent first.

        Args:
            taken: paths of those that are, or do.
            told: path -> kind, of files that are left out for another reason than their kind.
        """
        every = (*self.pictures, *self.metadata, *self.others, *self.skipped)
        return most_frequent_first(
            Counter(
                told.get(file.path) or file.skipped or _named(kind_of(file.path))
                for file in every
                if file.path not in taken
            )
        )

    def notes(self, taken: Container[str] = ()) -> tuple[str, ...]:
        """Sentences on what was skipped and perhaps should not be.

        Args:
            taken: paths of what was skipped and is read all the same.
        """
        found = []
        root = readable(self.root.rstrip("/"))
        outside = [
            file.path for file in self.skipped if file.skipped == "link outside" and file.path not in taken
        ]
        closed = self.unreadable()
        if outside:
            found.append(
                f"{_counted(len(outside), 'link leads', 'links lead')} outside of '{root}', such as "
                f"'{readable(outside[0])}'; --follow-links reads what they lead to"
            )
        if closed:
            found.append(
                f"{_counted(len(closed), 'file or folder', 'files or folders')} of '{root}' cannot be read, "
                f"such as '{readable(closed[0].path)}'; change the permissions to read what is there"
            )
        return tuple(found)

    def unreadable(self) -> list[ListedFile]:
        """Files and folders that this user may not look at."""
        return [file for file in self.skipped if file.skipped == "unreadable"]


def with_left_out(
    source: Source, listing: FolderListing, taken: Container[str], told: Mapping[str, str]
) -> Source:
    """A source that some files of a folder are, with what is left out of that folder.

    Args:
        source: of files in the folder; what it leaves out itself, such as members of tars, stays counted.
        taken, told: as of `FolderListing.left_out`.
    """
    kinds = Counter(source.left_out)
    kinds.update(listing.left_out(taken, told))
    return replace(
        source,
        left_out=most_frequent_first(kinds),
        unlisted=source.unlisted + len(listing.unreadable()),
        notes=(*listing.notes(taken), *source.notes),
    )


def with_parquet_left_out(
    source: Source, listing: FolderListing, splits: Mapping[str, Sequence[str]]
) -> Source:
    """The source that a split of a folder or of a dataset on the Hub is, with all other files as left out.

    Args:
        source: of one of the splits.
        splits: split -> its files, absolute.
    """
    own = {file.removeprefix(source.root) for file in source.files}
    every = {file.removeprefix(source.root) for files in splits.values() for file in files}
    told = {file.path: ".parquet in no split of this configuration" for file in listing.parquet}
    told |= dict.fromkeys(every - own, ".parquet of another split")
    # Rows may name pictures that they do not hold. Which these are is known when they are read. From the Hub
    # none is read.
    pictures = set[str]() if source.root.startswith(HUB) else {file.path for file in listing.pictures}
    found = with_left_out(source, listing, own | pictures, told)
    if not pictures:
        return found
    note = f"pictures lie beside the parquet files ({len(pictures):,}); they are read where a row names them"
    return replace(found, notes=(*found.notes, note))


def most_frequent_first(counts: Mapping[str, int]) -> dict[str, int]:
    """Kinds in the order in which they are told.

    >>> most_frequent_first({"hidden": 1, ".txt": 1, ".xmp": 2})
    {'.xmp': 2, '.txt': 1, 'hidden': 1}
    """
    return dict(sorted(counts.items(), key=lambda kind: (-kind[1], kind[0])))


def list_folder(root: str, follow_links: bool = False) -> FolderListing:
    """List a folder of this machine or of an object store once; no picture is opened.

    Raises:
        SimileError: the folder cannot be listed, or has two metadata files side by side.
    """
    top = f"{root.rstrip('/')}/"
    try:
        listing = listing_of(top, list_remote(top) if is_remote(root) else walk(root, follow_links))
    except OSError as error:
        if is_remote(root):
            raise SimileError(
                f"'{root}' cannot be listed: {error}; check the address, and that the keys in use may list it"
            ) from None
        raise SimileError(
            f"'{readable(root)}' cannot be listed ({type(error).__name__}); change its permissions, or run "
            "the job as a user who may read it"
        ) from None
    folders = Counter(file.path.rpartition("/")[0] for file in listing.metadata)
    for folder, count in folders.items():
        if count > 1:
            raise SimileError(
                f"'{readable(listing.root + folder)}' has {count} metadata files side by side; "
                "keep one of them"
            )
    return listing


def listing_of(root: str, files: Iterable[ListedFile]) -> FolderListing:
    """Files of a folder, sorted by path, each in its list.

    Args:
        root: absolute, with `/` at its end.
    """
    listing = FolderListing(root, [], [], [], [])
    for file in files:
        _list_of(listing, file).append(file)
    return listing


def _list_of(listing: FolderListing, file: ListedFile) -> list[ListedFile]:
    if file.skipped:
        return listing.skipped
    if file.path.rpartition("/")[2].lower() in METADATA_FILES:
        return listing.metadata
    return listing.pictures if kind_of(file.path) in PICTURES else listing.others


def _named(kind: str) -> str:
    return f".{kind}" if kind else "without an ending"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def fingerprint(files: Iterable[ListedFile]) -> Measured:
    """The states of files; their revision is a hash of paths, sizes and modification times."""
    digest, states = hashlib.blake2b(digest_size=16), {}
    for file in files:
        states[file.path] = FileState(file.size, str(file.changed))
        digest.update(f"{readable(file.path)}\0{file.size}\0{file.changed}\n".encode())
    return Measured(states, digest.hexdigest())


def fingerprint_of(paths: Sequence[str], root: str) -> Measured:
    """`fingerprint` of files by their absolute paths, which begin with `root`."""
    found = [(path, Path(path).stat()) for path in sorted(set(paths))]
    return fingerprint(
        ListedFile(path.removeprefix(root), each.st_size, each.st_mtime_ns) for path, each in found
    )
