"""Tars of the WebDataset format as rows: one for each picture, with what the members of its key say."""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.sources.column_types import typed_text, typed_values
from pipeline.sources.kept_tars import keeping, kept_indexes
from pipeline.sources.listing import most_frequent_first
from pipeline.sources.patience import PatientFile
from pipeline.sources.payload_fields import payload_columns
from pipeline.sources.schemas import features_of
from pipeline.sources.source import (
    GONE,
    NOT_READABLE,
    Asked,
    FileState,
    Measured,
    Source,
    Unread,
    card_text,
    free_column,
)
from pipeline.sources.spreading import by_tasks, by_threads
from pipeline.sources.storage import BUFFER, HUB, MAX_IMAGE_BYTES, hub_filesystem
from pipeline.sources.tar_index import TarIndex, TarPicture, index_tar
from pipeline.sources.walk import readable

if TYPE_CHECKING:
    import pyarrow as pa
    from huggingface_hub import HfFileSystem

__all__ = ["TarReader", "expand_pattern", "tar_source"]

_READERS = 8  # tars that threads of this process read at once; from afar each waits for its requests
# Tars up to which these threads do alone: a tar from afar is read whole, and each thread has four of them.
_TARS_HERE = 4 * _READERS
_TARS_A_TASK = 4  # so many as a task reads at once: few tars then still reach all nodes
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 1_000_000  # of a pattern; a larger number is a slip
PATH = "path"


@dataclass(frozen=True)
class TarReader:
    """A `Reader` whose places are struct<file, member: binary, offset, size: int64>."""

    root: str
    tasks: int | None = None
    cut_by_names: bool = False

    def sizes(self, places: pa.Array) -> list[int]:
        """Of the members."""
        sizes: list[int] = places.field("size").to_pylist()
        return sizes

    def names(self, places: pa.Array) -> list[str]:
        """`shard.tar/member.jpg`."""
        return [f"{os.fsdecode(row['file'])}/{os.fsdecode(row['member'])}" for row in places.to_pylist()]

    def files(self, places: pa.Array) -> list[str]:
        """The tars."""
        return [readable(os.fsdecode(row["file"])) for row in places.to_pylist()]

    def read(self, places: pa.Array, most: int) -> list[bytes | Unread]:
        """The members, from where the index found them; each tar is opened once.

        Args:
            places: of the members.
            most: their sizes were known before, so that this is kept.

        Raises:
            SimileError: a tar is there, and its bytes cannot be had.
        """
        found: list[bytes | Unread] = []
        for file, members in groupby(places.to_pylist(), key=lambda row: row["file"]):
            rows = list(members)
            try:
                with io.BufferedReader(PatientFile(self.root + os.fsdecode(file)), BUFFER) as stream:
                    found += [_member(stream, row["offset"], row["size"]) for row in rows]
            except FileNotFoundError:
                found += [GONE] * len(rows)
        return found


def _member(stream: Any, offset: int, size: int) -> bytes | Unread:
    if size > MAX_IMAGE_BYTES:
        return NOT_READABLE
    stream.seek(offset)
    data: bytes = stream.read(size)
    return data if len(data) == size else NOT_READABLE


def expand_pattern(location: str) -> list[str]:
    """`shard-{000..099}.tar` as 100 names; a name without braces is itself.

    >>> expand_pattern("a-{08..10}.tar")
    ['a-08.tar', 'a-09.tar', 'a-10.tar']

    Raises:
        SimileError: a range that ends before it begins, or has more than a million names.
    """
    found = _RANGE.search(location)
    if not found:
        return [location]
    first, last, width = int(found[1]), int(found[2]), len(found[1])
    if not first <= last < first + _MOST_SHARDS:
        raise SimileError(
            f"'{location}' counts from {first} to {last}; expected a range such as {{000..099}}"
        )
    rest = expand_pattern(location[found.end() :])
    return [f"{location[: found.start()]}{n:0{width}}{end}" for n in range(first, last + 1) for end in rest]


def tar_source(
    name: str,
    root: str,
    files: Sequence[str],
    asked: Asked,
    *,
    measured: Measured,
    config: str | None = "default",
    card: dict[str, Any] | None = None,
) -> Source:
    """The source that tars are.

    Args:
        name: what was asked for.
        root: what all files begin with, with `/` at its end.
        files: of the split, within the root.
        measured: the states of the tars.
        card: fields of the dataset card.

    Raises:
        SimileError: a tar that cannot be opened, no pictures, or values of one field without a common type.
    """
    indexes = _indexes(name, root, files, measured.states, asked)
    chosen, others = _chosen(name, indexes, asked)
    if not chosen:
        raise SimileError(_no_pictures(name, indexes))
    table, features, image = _table(name, chosen, indexes)
    counts: Counter[str] = Counter(others)
    for index in indexes:
        counts.update(index.left_out)
    card = card or {}
    return Source(
        name=name,
        kind="webdataset",
        split=asked.split,
        config=config,
        revision=measured.revision,
        image_column=image,
        features=features,
        payload_columns=payload_columns(features, image),
        rows=table.num_rows,
        bytes=measured.bytes,
        files=(),
        root=root,
        states=measured.states,
        licence=card_text(card.get("license")),
        credit=card_text(card.get("credit")),
        table=table,
        reader=TarReader(root),
        path_column=PATH if PATH not in _told_columns(indexes) else None,
        left_out=most_frequent_first(counts),
        faults=tuple(fault for index in indexes for fault in index.faults),
        unlisted=sum(index.damaged for index in indexes),
        notes=_notes(indexes),
    )


def _indexes(
    name: str, root: str, files: Sequence[str], states: Mapping[str, FileState], asked: Asked
) -> list[TarIndex]:
    """The index of each tar: as an earlier job kept it, or made now and kept."""
    found = kept_indexes(asked.kept_tars, root, states)
    new = [file for file in files if file not in found]
    if asked.spread is None or len(new) <= _TARS_HERE:
        made = by_threads(partial(_index, name=name, root=root), new, _READERS)
    else:
        hub = hub_filesystem(bare=True) if root.startswith(HUB) else None
        made = by_tasks(partial(_index, name=name, root=root, hub=hub), new, asked.spread, _TARS_A_TASK)
    with keeping(asked.kept_tars, root, states) as keep:
        for file, index in made:
            found[file] = index
            keep(index)
    return [found[file] for file in files]


def _index(file: str, *, name: str, root: str, hub: HfFileSystem | None = None) -> TarIndex:
    try:
        return index_tar(root, file, hub)
    except OSError as error:
        raise SimileError(
            f"'{readable(file)}' of '{name}' cannot be read: {error.strerror or error}; is the source "
            "complete?"
        ) from None


def _no_pictures(name: str, indexes: Sequence[TarIndex]) -> str:
    fault = next((fault for index in indexes for fault in index.faults), None)
    if fault:
        return f"'{name}' has no pictures that can be read; '{fault.place}': {fault.reason}"
    kinds = sum((index.left_out for index in indexes), Counter[str]())
    found = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()) or "nothing"
    return f"'{name}' has no pictures; expected members such as 000.jpg, 000.json, and found {found}"


def _chosen(
    name: str, indexes: Sequence[TarIndex], asked: Asked
) -> tuple[list[tuple[str, TarPicture]], dict[str, int]]:
    """(tar, picture) of each row, and the number of pictures with other endings than the one asked for."""
    every = [(index.file, picture) for index in indexes for picture in index.pictures]
    endings = Counter(picture.ending for _, picture in every)
    wanted, strict = asked.wanted
    if wanted is None or (wanted.lower() not in endings and not strict):
        return every, {}
    if every and wanted.lower() not in endings:
        raise SimileError(f"'{name}' has no pictures '.{wanted}'; there are: .{', .'.join(sorted(endings))}")
    chosen = [row for row in every if row[1].ending == wanted.lower()]
    return chosen, {f".{ending}": count for ending, count in endings.items() if ending != wanted.lower()}


def _told_columns(indexes: Sequence[TarIndex]) -> list[str]:
    """The fields of all members, in the order in which they first occur."""
    return list(dict.fromkeys(name for index in indexes for told in index.told.values() for name in told))


def _table(
    name: str, chosen: Sequence[tuple[str, TarPicture]], indexes: Sequence[TarIndex]
) -> tuple[pa.Table, Any, str]:
    import pyarrow as pa
    from datasets import Features, Image

    told = {index.file: index.told for index in indexes}
    rows = [told[file].get(picture.key, {}) for file, picture in chosen]
    paths = [readable(f"{file}/{picture.name}") for file, picture in chosen]
    columns: dict[str, pa.Array] = {}
    for column in _told_columns(indexes):
        values = [row.get(column) for row in rows]
        if column == "cls" and all(value is None or isinstance(value, str) for value in values):
            columns[column] = typed_text(values)
        else:
            columns[column] = typed_values(name, column, values, [f"'{path}'" for path in paths])
    columns.setdefault(PATH, pa.array(paths, pa.string()))
    image = free_column(columns)
    places = [
        {
            "file": os.fsencode(file),
            "member": os.fsencode(picture.name),
            "offset": picture.offset,
            "size": picture.size,
        }
        for file, picture in chosen
    ]
    kind = pa.struct(
        [("file", pa.binary()), ("member", pa.binary()), ("offset", pa.int64()), ("size", pa.int64())]
    )
    features = Features({image: Image(), **features_of(pa.table(columns).schema)})
    return pa.table({image: pa.array(places, kind), **columns}), features, image


def _notes(indexes: Sequence[TarIndex]) -> tuple[str, ...]:
    unread = [note for index in indexes for note in index.unread]
    if not unread:
        return ()
    members = "1 member" if len(unread) == 1 else f"{len(unread):,} members"
    return (f"{members} of the tars cannot be read, and their fields are empty: {unread[0]}",)
