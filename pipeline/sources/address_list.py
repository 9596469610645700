"""A list of addresses or paths as rows: a CSV, TSV, JSON lines or parquet file with a column of them."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import SimileError
from pipeline.home import is_remote
from pipeline.sources.folder_reader import read_locations
from pipeline.sources.payload_fields import payload_columns
from pipeline.sources.schemas import features_of
from pipeline.sources.source import Asked, Measured, Source, Unread, free_column
from pipeline.sources.storage import OBJECT_STORES, is_inside
from pipeline.sources.table_file import TableFile, merged_tables, read_table_file
from pipeline.sources.walk import readable
from pipeline.sources.web_addresses import is_web, shown_address

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ListReader", "list_source", "refuse_without_column"]

# Tasks that fetch at once. Each asks a host for at most two pictures at a time, so all together for eight.
_FETCHING_TASKS = 4


@dataclass(frozen=True)
class ListReader:
    """A `Reader` whose places are struct<list, address: string>.

    Attributes:
        root: the folder that paths are relative to, with `/` at its end.
        outside: whether paths may lead out of it.
        private: whether web addresses may lead to private machines.
    """

    root: str
    outside: bool = False
    private: bool = False
    tasks: int | None = _FETCHING_TASKS
    cut_by_names: bool = True

    def sizes(self, places: pa.Array) -> list[int]:
        """Nobody knows before they are fetched."""
        return [0] * len(places)

    def names(self, places: pa.Array) -> list[str]:
        """The addresses, whole."""
        return [row["address"] or "" for row in places.to_pylist()]

    def files(self, places: pa.Array) -> list[str]:
        """The lists that the rows stand in."""
        return [row["list"] for row in places.to_pylist()]

    def read(self, places: pa.Array, most: int) -> list[bytes | Unread | None]:
        """What lies behind each address: first those of the web, then files and objects."""
        from pipeline.sources.fetch import Limits, fetch_all

        rows = [(row["list"], row["address"] or "") for row in places.to_pylist()]
        web = [at for at, (_, address) in enumerate(rows) if is_web(address)]
        limits = Limits(private=self.private, together=most)
        found: dict[int, bytes | Unread | None] = dict(
            zip(web, fetch_all([rows[at][1] for at in web], limits), strict=True)
        )
        wanted = {at: self._location(*row) for at, row in enumerate(rows) if at not in found}
        found |= {at: why for at, why in wanted.items() if isinstance(why, Unread)}
        files = {at: place for at, place in wanted.items() if isinstance(place, str)}
        left = most - sum(len(each) for each in found.values() if isinstance(each, bytes))
        found |= dict(zip(files, read_locations(list(files.values()), left), strict=True))
        return [found[at] for at in range(len(rows))]

    def _location(self, file: str, address: str) -> str | Unread:
        """Where a path or the address of an object lies."""
        if not address:
            return Unread("no address", "the row has no address")
        if "\0" in address:
            return Unread("no address", "the address holds a zero byte, which is in no name of a file")
        if is_remote(address):
            if address.startswith(OBJECT_STORES) and "@" not in address.split("/")[2]:
                return address
            return Unread(
                "unknown address",
                f"'{shown_address(address)}' is not taken; expected http://, https://, "
                f"{', '.join(OBJECT_STORES)} or a path",
            )
        location = posixpath.join(self.root + posixpath.dirname(file), address)
        if is_remote(self.root) and address.startswith("/"):
            return Unread(
                "outside", f"'{address}' is a path of some machine; the list lies in an object store"
            )
        if not self.outside and not is_inside(self.root, location):
            return Unread("outside", f"'{address}' leads out of the list's folder; --follow-links allows it")
        return location


def list_source(name: str, root: str, files: Sequence[str], asked: Asked, measured: Measured) -> Source:
    """The source that lists are.

    Args:
        name: what was asked for.
        root: the folder of the lists, with `/` at its end.
        files: the lists, within `root`.
        measured: the states of the lists.

    Raises:
        SimileError: a list that cannot be read, has no such column, or no row; an unknown split.
    """
    import pyarrow as pa
    from datasets import Features, Image

    if asked.split != "train":
        raise SimileError(f"'{name}' has no split '{asked.split}'; there are: train")
    assert asked.url_column is not None
    tables, addresses = [], []
    for file in files:
        table = read_table_file(root, file)
        if asked.url_column not in table.columns:
            raise SimileError(_no_column(readable(file), table, asked.url_column))
        here = table.take_texts(asked.url_column)
        addresses += [{"list": readable(file), "address": (each or "").strip() or None} for each in here]
        tables.append(table)
    if not addresses:
        raise SimileError(f"'{name}' has no rows; expected an address in each")
    told = merged_tables(tables)
    image = free_column({*told.column_names, asked.url_column})
    shown = [row["address"] and shown_address(row["address"]) for row in addresses]
    told = told.append_column(asked.url_column, pa.array(shown, pa.string()))
    places = pa.array(addresses, pa.struct([("list", pa.string()), ("address", pa.string())]))
    features = Features({image: Image(), **features_of(told.schema)})
    return Source(
        name=name,
        kind="list",
        split="train",
        config="default",
        revision=measured.revision,
        image_column=image,
        features=features,
        payload_columns=payload_columns(features, image),
        rows=told.num_rows,
        bytes=None,
        files=(),
        root=root,
        table=told.add_column(0, image, places),
        reader=ListReader(root, asked.follow_links, asked.allow_private),
        path_column=asked.url_column,
        notes=tuple(note for table in tables for note in table.notes),
    )


def refuse_without_column(root: str, file: str) -> None:
    """Refuse a list for which no column was named.

    Raises:
        SimileError: always; it says which columns there are, and the flag.
    """
    raise SimileError(_no_column(readable(file), read_table_file(root, file), None))


def _no_column(name: str, table: TableFile, asked: str | None) -> str:
    there = ", ".join(table.columns) or "none"
    if asked:
        return f"'{name}' has no column '{asked}'; there are: {there}"
    return (
        f"'{name}' is a table with the columns {there}; name the one that holds addresses or paths of the "
        "pictures, as in --url-column url"
    )
