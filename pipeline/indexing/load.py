"""Stage 5, load: units and what was decided on their rows -> points of a version.

Each unit that is written leaves a marker on the home, so that a job which goes on after another one asks for
markers and writes the other units:

<home>/staging/<collection>/loads/<key>/<unit>
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.cluster.tasks import read_ahead
from pipeline.home import listed, remove_folder, write_file
from pipeline.indexing.unit_points import Target, UnitLoad, points_of
from pipeline.locks.fenced_store import fenced
from pipeline.locks.lease import Fence, asked_rarely
from pipeline.progress import progress
from pipeline.ray_blocks import blocks_of, things_in
from pipeline.staging.parts import Parts
from pipeline.store import Store, open_store
from pipeline.store.authority import server_variables
from pipeline.store.read_points import in_batches

__all__ = ["Markers", "delete_points_of", "load_units"]

_ROWS_A_WRITER = 4096  # a writer takes seconds to start; below some thousand rows one is faster
_FLUSHED_EVERY = 8192  # points of the embedded engine: a flush takes tens of milliseconds
_DELETED_AT_ONCE = 10_000  # ids of a request: 360 kB


@dataclass(frozen=True)
class Markers:
    """Which units of a build are written; `key` says what the build is to hold."""

    parts: Parts
    key: str

    @property
    def folder(self) -> str:
        """Where they are, as path or URL."""
        return f"{self.parts.home}/staging/{self.parts.collection}/loads/{self.key}"

    def done(self) -> set[str]:
        """The markers of units that an earlier run of this build has written."""
        return {each.base_name for each in listed(self.folder) if not each.base_name.startswith(".")}

    def leave(self, marker: str) -> None:
        """Say that a unit is written."""
        write_file(f"{self.folder}/{marker}", b"")

    def clear(self) -> None:
        """Forget all builds: this one has ended."""
        remove_folder(self.folder.rpartition("/")[0])


def load_units(
    store: Store,
    version: str,
    units: Sequence[UnitLoad],
    parts: Parts,
    targets: Sequence[Target],
    markers: Markers,
    fence: Fence,
) -> tuple[int, int]:
    """Write units to a version; returns how many points the store acknowledged, and their bytes.

    The embedded engine takes one writer: this process, which also reads, as starting others takes longer than
    they save. A server takes many.
    """
    rows = sum(len(unit) for unit in units)
    if not rows:
        return 0, 0
    with progress("load", rows) as bar:
        written = size = 0
        if not store.parallel_writes:
            unsafe, since = list[str](), 0  # markers, and points since the last flush
            every = ((load.marker, points) for load in units for points in points_of(load, parts, targets))
            for marker, points in read_ahead(every):
                if since >= _FLUSHED_EVERY and marker not in unsafe:
                    _flush(store, version, markers, unsafe)
                    unsafe, since = [], 0
                store.upsert(version, points.ids, points.vectors, points.payloads)
                unsafe += [] if marker in unsafe else [marker]
                count = len(points.ids)
                written, since, size = written + count, since + count, size + points.size
                bar.update(count)
            _flush(store, version, markers, unsafe)
            return written, size
        import ray
        from ray.data import ActorPoolStrategy

        writers = min(store.writers(version), 1 + rows // _ROWS_A_WRITER, len(units))
        answers: Any = ray.data.from_arrow(blocks_of(units)).map_batches(
            _Writer,
            fn_constructor_args=(version, parts, targets, markers, store.address, server_variables(), fence),
            batch_size=1,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=writers),
            num_cpus=0.25,
        )
        for answer in answers.iter_batches(batch_size=None, batch_format="pyarrow"):
            count = sum(answer["written"].to_pylist())
            written, size = written + count, size + sum(answer["bytes"].to_pylist())
            bar.update(count)
        return written, size


def _flush(store: Store, version: str, markers: Markers, written: Sequence[str]) -> None:
    """Units are marked when what was written of them can no more be lost."""
    store.flush(version)
    for marker in written:
        markers.leave(marker)


def delete_points_of(store: Store, version: str, ids: Sequence[str]) -> None:
    """Remove points, in requests of bounded size."""
    for some in in_batches(ids, _DELETED_AT_ONCE):
        store.delete(version, some)


class _Writer:
    """An actor that writes units to a server, and answers with what was acknowledged."""

    def __init__(
        self,
        version: str,
        parts: Parts,
        targets: Sequence[Target],
        markers: Markers,
        url: str,
        environment: Mapping[str, str],
        fence: Fence,
    ) -> None:
        os.environ.update(environment)
        self.version, self.parts, self.targets, self.markers = version, parts, targets, markers
        self.store = fenced(open_store(url=url), asked_rarely(fence.check))

    def __call__(self, batch: pa.Table) -> pa.Table:
        written, size = 0, 0
        for unit in things_in(batch):
            for points in points_of(unit, self.parts, self.targets):
                self.store.upsert(self.version, points.ids, points.vectors, points.payloads)
                written, size = written + len(points.ids), size + points.size
            self.markers.leave(unit.marker)
        return pa.table({"written": [written], "bytes": [size]})
