"""The catalogue of more rows than one process should hold: Ray brings equal ids together, by bucket."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.cluster.tasks import in_tasks
from pipeline.indexing.choice import Choice, IdRows, choose
from pipeline.indexing.unit_ids import Reading, UnitIds
from pipeline.ray_blocks import blocks_of, things_in
from pipeline.staging.rejects import Reject

__all__ = ["shuffled"]

Read = Callable[[Reading], UnitIds]
_UNITS_A_BLOCK = 16  # of a task that reads ids
_COLUMNS = ("marks", "units", "rows", "roles", "live_marks")


def shuffled(
    readings: Sequence[Reading], read: Read, bare: Sequence[IdRows], anew: bool, buckets: int
) -> Iterator[Choice | tuple[list[Reject], int]]:
    """Choices of all ids, a bucket at a time, then rejects and number of rows of each unit.

    Args:
        readings: the units.
        read: reads one of them.
        bare: ids that stand in no unit.
        anew: see `choose`.
        buckets: into which ids are shuffled.
    """
    import ray

    step = _UNITS_A_BLOCK
    tasks = [list(readings[start : start + step]) for start in range(0, len(readings), step)]
    others = [_table(rows, buckets) for rows in bare if len(rows)]
    spread: Any = ray.data.from_arrow(blocks_of(tasks)).map_batches(
        partial(_read_block, read=read, buckets=buckets), batch_format="pyarrow", batch_size=1, num_cpus=0.5
    )
    if others:
        spread = spread.union(ray.data.from_arrow(others))
    chosen = spread.groupby("bucket", num_partitions=buckets).map_groups(
        partial(_choose_table, anew=anew), batch_format="pyarrow"
    )
    for batch in chosen.iter_batches(batch_size=None, batch_format="pyarrow"):
        for choice in batch["choice"].to_pylist():
            yield pickle.loads(choice)
    # Rejects are few, and their number is no reason to carry them through the shuffle.
    yield from chain.from_iterable(in_tasks(partial(_tell, read=read), tasks))


def _table(rows: IdRows, buckets: int) -> pa.Table:
    """As a table with the bucket of each row: a range of ids."""
    columns = {name: pa.array(getattr(rows, name)) for name in _COLUMNS}
    bucket = ((rows.words[:, 0] >> np.uint64(32)) * np.uint64(buckets)) >> np.uint64(32)
    words = {"first": pa.array(rows.words[:, 0]), "second": pa.array(rows.words[:, 1])}
    return pa.table({"bucket": pa.array(bucket.astype(np.int64)), **words, **columns})


def _read_block(block: pa.Table, *, read: Read, buckets: int) -> Iterator[pa.Table]:
    for readings in things_in(block):
        rows = [read(reading).ids for reading in readings]
        yield _table(IdRows.joined(rows), buckets)


def _choose_table(rows: pa.Table, *, anew: bool) -> pa.Table:
    columns = {name: rows[name].to_numpy() for name in _COLUMNS}
    words = np.stack([rows["first"].to_numpy(), rows["second"].to_numpy()], 1)
    return pa.table({"choice": [pickle.dumps(choose(IdRows(words, **columns), anew))]})


def _tell(readings: list[Reading], *, read: Read) -> list[tuple[list[Reject], int]]:
    return [(each.rejects, each.rows) for each in map(read, readings)]
