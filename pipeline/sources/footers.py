"""What the footers of parquet files say: columns, and row groups; no picture is read for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import SimileError
from pipeline.home import is_remote
from pipeline.sources.source import RowGroup
from pipeline.sources.spreading import Spread, by_tasks, by_threads
from pipeline.sources.storage import hub_filesystem, on_filesystem

if TYPE_CHECKING:
    import pyarrow as pa
    from huggingface_hub import HfFileSystem

__all__ = ["Footer", "read_footers"]

_READERS = 16  # threads; a footer costs the Hub's latency, not the CPU
# Files up to which threads of this process are as fast as a cluster: from a bucket they read so many footers
# in some three seconds, which the first tasks of Ray take to begin.
_FOOTERS_HERE = 512
_FOOTERS_A_TASK = 16  # about as much work as Ray has with the task
_LARGE_PAGE = 32 * 2**20  # bytes; a smaller one takes some 20 ms to decode, again for each unit


class Footer(NamedTuple):
    """The footer of a file, as far as anybody asks for it.

    Attributes:
        schema: of the file.
        groups: its row groups; of pictures they have as many as rows.
        lists: column of lists -> of each row group, how many values these hold; an empty list counts as one.
    """

    schema: pa.Schema
    groups: tuple[RowGroup, ...]
    lists: dict[str, tuple[int, ...]]

    def groups_of(self, column: str) -> tuple[RowGroup, ...]:
        """The row groups, with the number of pictures that a column of pictures or of lists of them holds."""
        if column not in self.lists:
            return self.groups
        counts = zip(self.groups, self.lists[column], strict=True)
        return tuple(group._replace(pictures=count) for group, count in counts)


def read_footers(
    name: str, files: Sequence[str], storage: HfFileSystem | None, spread: Spread | None
) -> list[Footer]:
    """The footer of each file.

    Args:
        name: of the source, for messages.
        storage: of files on the Hub.
        spread: runs work on a cluster, where there is one; it is used for many files.

    Raises:
        SimileError: a file that cannot be read, or is no parquet.
    """
    if spread is None or len(files) <= _FOOTERS_HERE:
        if storage is not None:
            storage.info(files[0])  # fills the listing cache that the threads share
        found = dict(by_threads(partial(_read, name=name, storage=storage), files, _READERS))
    else:
        # Sent without the listing of all files that this process has in its cache.
        bare = None if storage is None else hub_filesystem(bare=True)
        look = partial(_read, name=name, storage=bare)
        found = dict(by_tasks(look, files, spread, _FOOTERS_A_TASK))
    return [found[file] for file in files]


def _read(file: str, *, name: str, storage: HfFileSystem | None) -> Footer:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if storage is None:
            files, path = on_filesystem(file)
            return _footer(pq.read_metadata(path, filesystem=files if is_remote(file) else None))
        with storage.open(file, "rb", cache_type="readahead", block_size=2**16) as handle:
            return _footer(pq.read_metadata(handle))
    except pa.ArrowInvalid as error:
        raise SimileError(f"'{file}' is not a parquet file: {error}; fetch it again") from None
    except OSError as error:
        raise SimileError(
            f"'{file}' cannot be read ({type(error).__name__}); is '{name}' complete?"
        ) from None


def _footer(metadata: Any) -> Footer:
    schema = metadata.schema.to_arrow_schema()
    lists: dict[str, list[int]] = {column.name: [] for column in schema if _is_list(column.type)}
    groups = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        leaves = [group.column(place) for place in range(group.num_columns)]
        for column, counts in lists.items():
            leaf = next(leaf for leaf in leaves if leaf.path_in_schema.startswith(f"{column}."))
            counts.append(leaf.num_values)
        size = sum(leaf.total_compressed_size for leaf in leaves)
        in_one_page = max(map(_dictionary_bytes, leaves), default=0) > max(size / 2, _LARGE_PAGE)
        groups.append(RowGroup(group.num_rows, group.num_rows, size, in_one_page))
    return Footer(schema, tuple(groups), {column: tuple(counts) for column, counts in lists.items()})


def _dictionary_bytes(leaf: Any) -> int:
    """Of the page with the different values of a column. The writers of Arrow, and so many a dataset on the
    Hub, put up to 1024 pictures there before they look how large it becomes."""
    return leaf.data_page_offset - leaf.dictionary_page_offset if leaf.has_dictionary_page else 0


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind))
