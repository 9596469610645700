"""What a source is once it was found: its files, its columns, and which of them holds the images."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from pipeline.errors import SimileError
from pipeline.sources.spreading import Spread
from pipeline.sources.web_addresses import shown_address

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features
    from huggingface_hub import HfFileSystem

__all__ = [
    "CHANGED",
    "GONE",
    "Asked",
    "Fault",
    "FileState",
    "KeptTars",
    "Measured",
    "Reader",
    "RowGroup",
    "Source",
    "Unread",
    "Wanted",
    "card_text",
    "choose_image",
    "free_column",
    "is_image",
    "public_name",
    "refuse_config",
]


class Wanted(NamedTuple):
    """The image column asked for."""

    column: str | None
    strict: bool  # whether it must be that one


class KeptTars(NamedTuple):
    """Where what was found in tars is kept for later jobs, see `kept_tars`."""

    folder: str
    adds: bool  # whether this job keeps something there, or only takes from it


@dataclass(frozen=True)
class Asked:
    """What `resolve_source` was asked beside the source itself; its arguments say what each means."""

    split: str
    wanted: Wanted
    config: str | None = None
    revision: str | None = None
    follow_links: bool = False
    url_column: str | None = None
    allow_private: bool = False
    spread: Spread | None = None
    kept_tars: KeptTars | None = None


class Unread(NamedTuple):
    """Why there are no bytes of a picture."""

    kind: str  # a few words, the same for every picture of its kind
    reason: str  # one sentence


NOT_READABLE = Unread("not readable", "the file could not be read")
NOT_THERE = Unread("not there", "there is no file of this name")
GONE = Unread(
    "is gone",
    "the file was removed after the source was listed; run the job again, with --retry-rejects if the file "
    "was put back as it was",
)
CHANGED = Unread(
    "changed while being read", "the file was changed after the source was listed; run the job again"
)


class FileState(NamedTuple):
    """A file as the listing found it: bytes, and what changes when it does (a time, or the Hub's hash)."""

    size: int
    stamp: str


class Measured(NamedTuple):
    """The files of a source.

    Attributes:
        states: path within the source -> its state.
        revision: what all of them together are called (`Source.revision`).
    """

    states: Mapping[str, FileState]
    revision: str

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(state.size for state in self.states.values())


class Reader(Protocol):
    """Reads the pictures of a source whose rows are a table. It is sent to Ray tasks, so it is small.

    What `places` hold, the reader alone knows: it is the image column of `Source.table`.
    """

    @property
    def tasks(self) -> int | None:
        """How many Ray tasks may read at once; None: as many as the cluster has room for."""

    @property
    def cut_by_names(self) -> bool:
        """Whether rows come and go one by one, so that slices are cut by their names; else whole files do."""

    def names(self, places: pa.Array) -> list[str]:
        """Of N places: what tells each row from others, the same at every run."""

    def sizes(self, places: pa.Array) -> Sequence[int]:
        """Of N places: bytes of each picture; 0 where nobody knows."""

    def files(self, places: pa.Array) -> list[str]:
        """Of N places: the file that each row is said to stand in, as text that can be shown."""

    def read(self, places: pa.Array, most: int) -> Sequence[bytes | Unread | None]:
        """Of N places: the compressed pictures, or why there are none.

        Args:
            most: bytes after which no other picture need be begun. Those that were not are None; the first
                always is.
        """


def card_text(value: Any) -> str | None:
    """A field of a dataset card, which may be a list, as one line."""
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return " ".join(str(value).split()) if value else None


def refuse_config(name: str, config: str | None, error: Exception) -> None:
    """Raise for an unknown or missing configuration, with the names that `datasets` lists in its message."""
    listed = re.search(r"(not found\. Available|available configs): \[(.*?)\]", str(error), re.DOTALL)
    if listed:
        asked = f"has no configuration '{config}'" if config else "has several configurations; name one"
        raise SimileError(f"'{name}' {asked}; there are: {listed[2].replace(chr(39), '')}") from None


ROW_COLUMNS = ("file", "row", "image", "unread")  # what a row of `read_rows` calls its own columns


@dataclass(frozen=True)
class Fault:
    """A row that the listing shows to be none: metadata that name no picture, or none that is there."""

    place: str  # `file:line` of the metadata
    reason: str


class RowGroup(NamedTuple):
    """A row group of a parquet file.

    Attributes:
        rows: of the file.
        pictures: in them; a row may hold a list.
        bytes: compressed.
        in_one_page: whether a single large page holds most of these bytes: no row is read without all.
    """

    rows: int
    pictures: int
    bytes: int
    in_one_page: bool = False


@dataclass(frozen=True)
class Source:
    """One split of one dataset, resolved: what to read and what is in it."""

    name: str  # what was asked for: a Hub id or an absolute path
    kind: Literal["parquet", "imagefolder", "webdataset", "list"]
    split: str
    config: str | None
    revision: str | None  # Hub commit; of a local source a hash of file names, sizes and modification times
    image_column: str
    features: Features
    payload_columns: tuple[str, ...]  # all columns without images or sound, and without vectors
    rows: int
    bytes: int | None  # on disk
    files: tuple[str, ...]  # parquet: absolute paths or hf:// paths; of a folder they are in `table`
    root: str  # what all files begin with
    licence: str | None = None  # from the dataset card
    credit: str | None = None  # from the dataset card
    groups: tuple[tuple[RowGroup, ...], ...] = field(default=(), repr=False)  # parquet: of each of `files`
    states: Mapping[str, FileState] = field(default_factory=dict, repr=False, hash=False)  # parquet, tars
    schema: pa.Schema | None = field(default=None, repr=False, compare=False)  # parquet: where files differ
    # Of all but parquet: the rows. Their image column holds places, which `reader` reads.
    table: pa.Table | None = field(default=None, repr=False, compare=False)
    reader: Reader | None = None
    path_column: str | None = None  # the payload column that is another one for each picture: its path
    left_out: dict[str, int] = field(default_factory=dict, hash=False)  # files that are no rows, by kind
    faults: tuple[Fault, ...] = ()  # rows beyond `rows` that cannot become points
    unlisted: int = 0  # files and folders that could not be looked at: what they hold nobody knows
    notes: tuple[str, ...] = ()  # sentences for whoever indexes it
    storage: HfFileSystem | None = field(
        default=None, repr=False, compare=False
    )  # for tasks that read the Hub
    vector_columns: tuple[str, ...] = ()  # vectors that were made elsewhere
    separators: Mapping[str, str] = field(default_factory=dict, hash=False)  # text that is read as lists

    @property
    def is_remote(self) -> bool:
        """Whether reading it is mostly waiting for a network."""
        return "://" in self.root or self.kind == "list"

    def without_rows(self) -> Source:
        """Everything but the names of files and the rows themselves."""
        return replace(self, files=(), groups=(), states={}, table=None, faults=(), notes=(), left_out={})

    def row_name(self, column: str) -> str:
        """The name that a payload column has in `read_rows`: its own, unless Simile uses that one."""
        return f"source_{column}" if column in ROW_COLUMNS else column


def public_name(source: str) -> str:
    """What others may read of a source: a Hub id whole; of a folder or an address, the last part only."""
    source = shown_address(source)
    is_folder = PurePosixPath(source).is_absolute() or PureWindowsPath(source).is_absolute()
    is_folder = is_folder or ("://" in source and not source.startswith("hf://"))
    return PureWindowsPath(source).name if is_folder else source


def choose_image(name: str, features: Features, asked: str | None, strict: bool = True) -> str:
    """The image column that was asked for, or else the only one; not `strict`: also where that is not there.

    Raises:
        SimileError: there is none, not the one that was asked for, or several to choose from; the message
            lists those that are there.
    """
    found = [column for column, feature in features.items() if is_image(feature)]
    # A column that nobody declared an image may still be one; it has to be asked for by name.
    if asked in features and (asked in found or _is_binary(features[asked])):
        return str(asked)
    if asked is not None and (strict or not found):
        there = f"image columns: {', '.join(found)}" if found else f"columns: {', '.join(features)}"
        raise SimileError(f"'{name}' has no image column '{asked}'; it has the {there}")
    if not found:
        raise SimileError(
            f"'{name}' has no image column, only {', '.join(features)}; name the one that holds image files"
        )
    if len(found) > 1:
        raise SimileError(
            f"'{name}' has several image columns: {', '.join(found)}; choose one in the YAML, as in "
            f"`image: {found[0]}`"
        )
    return str(found[0])


def free_column(taken: Container[str]) -> str:
    """A name for a column of images that no other column has."""
    name = "image"
    while name in taken:
        name += "_"
    return name


def is_image(feature: Any) -> bool:
    """Declared an image, or laid out as one, struct<bytes: binary, path: string>; or a list of these."""
    from datasets import Image, LargeList, List

    if isinstance(feature, (List, LargeList)):
        return is_image(feature.feature)
    if isinstance(feature, list):
        return len(feature) == 1 and is_image(feature[0])
    if isinstance(feature, dict) and set(feature) == {"bytes", "path"}:
        return _is_binary(feature["bytes"])
    return isinstance(feature, Image)


def _is_binary(feature: Any) -> bool:
    return getattr(feature, "dtype", None) in ("binary", "large_binary", "null")
