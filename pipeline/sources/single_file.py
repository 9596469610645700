"""A source that is a file, or several of one pattern: tars, a parquet file, or a list of addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.errors import NoSplitError, SimileError
from pipeline.printable import printable
from pipeline.sources.address_list import list_source, refuse_without_column
from pipeline.sources.extensions import PICTURES, kind_of
from pipeline.sources.listing import fingerprint
from pipeline.sources.parquet import Listing, parquet_source
from pipeline.sources.schemas import features_of
from pipeline.sources.source import Asked, Source, is_image
from pipeline.sources.storage import open_stream, stat_files
from pipeline.sources.table_file import TABLES
from pipeline.sources.webdataset import expand_pattern, tar_source

if TYPE_CHECKING:
    from pipeline.sources.walk import ListedFile

__all__ = ["TAKEN", "file_source", "holds_images", "is_pattern", "refuse_kind"]

TAKEN = (
    "a folder of images, a dataset in the Hub's layout, a .parquet file, .tar files in the WebDataset "
    "format, or a .csv, .tsv, .jsonl or .parquet list with --url-column"
)
_PACKED = "unpack it and name the folder, or pack the pictures into a .tar"
_COMPRESSED = "unpack it: in a compressed file no picture can be found without reading all before it"
_KINDS = {
    **dict.fromkeys(("zip", "7z", "rar"), ("an archive", _PACKED)),
    **dict.fromkeys(("gz", "tgz", "bz2", "xz", "zst"), ("compressed", _COMPRESSED)),
    "lance": ("a Lance dataset", "write it as parquet, such as with Ray Data's read_lance and write_parquet"),
    "json": ("JSON", "write one object a line and call it .jsonl"),
    "tfrecord": ("a TFRecord", "write it as parquet or .tar"),
    "arrow": ("an Arrow file", "write it as parquet"),
    **dict.fromkeys(PICTURES, ("a single picture", "name the folder that it lies in")),
}


def is_pattern(location: str) -> bool:
    """Whether this stands for several files."""
    return kind_of(location) == "tar" and "{" in location


def refuse_kind(name: str) -> None:
    """Refuse what is not taken, by the ending of its name, and say what is.

    Raises:
        SimileError: the ending is one of those.
    """
    if kind_of(name) in _KINDS:
        what, mend = _KINDS[kind_of(name)]
        raise SimileError(f"'{name}' is {what}; {mend}. Expected {TAKEN}")


def file_source(name: str, location: str, asked: Asked) -> Source:
    """The source that a file or a pattern of tars is.

    Args:
        name: what was asked for.
        location: an absolute path or an address.

    Raises:
        SimileError: a file that is missing, cannot be read or is of a kind that is not taken.
    """
    kind = kind_of(location)
    if kind == "tar":
        return _tars(name, expand_pattern(location), asked)
    refuse_kind(name)
    if kind not in TABLES:
        raise SimileError(f"'{name}' is a file of another kind; expected {TAKEN}")
    root, file = _split([location])
    measured = fingerprint(_found(name, root, file))
    if asked.url_column is not None:
        return list_source(name, root, file, asked, measured)
    if kind != "parquet" or not (asked.wanted.column or holds_images(location)):
        refuse_without_column(root, file[0])
    listing = Listing("default", {"train": [location]}, None, root, {})
    return parquet_source(name, listing, asked, lambda _: measured)


def holds_images(location: str) -> bool:
    """Whether a parquet file has a column of images; False also for a file that is no parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_stream(location) as stream:
            schema = pq.read_schema(stream)
    except (pa.ArrowInvalid, OSError):
        return False
    return any(is_image(feature) for feature in features_of(schema).values())


def _tars(name: str, locations: Sequence[str], asked: Asked) -> Source:
    if asked.split != "train":
        raise NoSplitError(f"'{name}' has no split '{asked.split}'; there are: train")
    root, files = _split(locations)
    return tar_source(name, root, files, asked, measured=fingerprint(_found(name, root, files)))


def _split(locations: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all lie in, with `/` at its end, and each within it."""
    first, last = min(locations), max(locations)
    alike = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    root = first[: first.rfind("/", 0, alike) + 1]
    return root, [location[len(root) :] for location in locations]


def _found(name: str, root: str, files: Sequence[str]) -> list[ListedFile]:
    try:
        found = stat_files(root, files)
    except OSError as error:
        raise SimileError(
            f"'{name}' cannot be accessed: {printable(error, 300)}; check the name, and that you may read it"
        ) from None
    missing = [file for file in files if file not in {each.path for each in found}]
    if missing and len(files) == 1:
        raise SimileError(f"'{name}' does not exist; check the name")
    if missing:
        raise SimileError(
            f"'{name}' stands for {len(files):,} files, and {len(missing):,} are not there, such as "
            f"'{missing[0]}'; check the range"
        )
    return found
