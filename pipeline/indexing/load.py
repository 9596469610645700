"""Stage 4, load: staged rows -> prepared vectors and codes -> points of a version."""

import base64
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from pipeline.home import filesystem
from pipeline.index_quality.truth import Rows
from pipeline.indexing.fenced_store import fenced
from pipeline.indexing.lease import Fence, asked_rarely
from pipeline.points import RESERVED, Row
from pipeline.progress import progress
from pipeline.projection import Projection
from pipeline.sources.parquet_rows import classic_reader
from pipeline.staging.parts import Staging, vectors_of
from pipeline.store import Store, open_store
from pipeline.store.authority import VARIABLE, private_authority
from pipeline.store.thumbnail_files import ThumbnailFiles
from pipeline.vectors import unit

__all__ = ["Load", "Target", "load_rows", "staged_rows"]

_BATCH = 512
_COMPARED = 4096  # rows whose vectors are compared with the check's queries at once
_ROWS_A_WRITER = 4096  # a writer takes seconds to start; below some thousand rows one is faster
# Variables that the driver hands to its writers: workers of a running cluster do not inherit its environment.
_ABOUT_SERVER = ("QDRANT_API_KEY", "QDRANT_GRPC_PORT", "SIMILE_STORE_PATIENCE")


@dataclass(frozen=True)
class Target:
    """One encoder of a version: where its raw outputs are, and what they become."""

    staging: Staging
    vector: str
    code: str
    projection: Projection

    def vectors(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """(N, raw D [+ hash bits]) -> the named vectors of N points."""
        prepared, codes = self.projection.split(raw)
        return {self.vector: prepared, self.code: codes}


def staged_rows(target: Target, ids: Set[str], vector: str) -> Iterator[Rows]:
    """One named vector of the points `ids`, as the store has it, a few parts at a time.

    Args:
        target: whose staged rows.
        ids: of the version's points; each comes once, if it is staged.
        vector: one of the target's two names.
    """
    files, _ = filesystem(target.staging.folder)
    parts, seen = target.staging.parts(), set[str]()
    if not parts:
        return
    staged = pads.dataset(parts, filesystem=files, format="parquet")
    for batch in staged.to_batches(columns=["id", "vector"], batch_size=_COMPARED):
        table = pa.Table.from_batches([batch])
        there = table["id"].to_pylist()
        kept = {point: at for at, point in enumerate(there) if point in ids and point not in seen}
        if not kept:
            continue
        seen.update(kept)
        rows = target.vectors(vectors_of(table.take(list(kept.values()))))[vector]
        yield list(kept), unit(rows) if vector == target.vector else rows


@dataclass
class Load:
    """What turns staged rows into points; sent to the writers as it is.

    Attributes:
        version: where to write.
        targets: the encoders. The first one's parts are read in parallel; the others are looked up.
        rows: id -> row, of the points to write.
        parts: for each further target, id -> the part that holds it.
        files_above: bytes above which a thumbnail becomes a file on the home; None: none does.
    """

    version: str
    targets: Sequence[Target]
    rows: Mapping[str, Row]
    parts: Sequence[Mapping[str, str]]
    files_above: int | None = None
    written: set[str] = field(default_factory=set)

    def write(self, store: Store, staged: pa.Table) -> tuple[list[str], int]:
        """Write the rows that are wanted and were not written yet; returns their ids, and bytes."""
        ids = staged["id"].to_pylist()
        # A row can be staged twice, by a batch that was cut differently after a crash.
        keep = {point: i for i, point in enumerate(ids) if point in self.rows and point not in self.written}
        if not keep:
            return [], 0
        ids, staged = list(keep), staged.take(list(keep.values()))
        vectors = self.targets[0].vectors(vectors_of(staged))
        for target, parts in zip(self.targets[1:], self.parts, strict=True):
            vectors |= target.vectors(_looked_up(target.staging, parts, ids))
        payloads = [self._payload(row) for row in staged.drop_columns(["vector"]).to_pylist()]
        store.upsert(self.version, ids, vectors, payloads)
        self.written.update(ids)
        size = sum(rows.nbytes for rows in vectors.values())
        return ids, size + sum(len(payload[RESERVED]["thumbnail"]) for payload in payloads)

    def _thumbnail(self, staged: dict[str, Any]) -> str:
        staging, data = self.targets[0].staging, staged["thumbnail"]
        if self.files_above is None or len(data) <= self.files_above:
            return base64.b64encode(data).decode()
        return ThumbnailFiles(staging.home).keep(staging.collection, staged["id"], data)

    def _payload(self, staged: dict[str, Any]) -> dict[str, Any]:
        row = self.rows[staged["id"]]
        own = {
            "places": list(row.places),
            "mark": row.mark,
            "width": staged["width"],
            "height": staged["height"],
            "thumbnail": self._thumbnail(staged),
            "thumbnail_type": staged["thumbnail_type"],
        }
        if row.credit:
            own["credit"] = row.credit
        payload: dict[str, Any] = json.loads(row.payload)
        return payload | {RESERVED: own}


def _looked_up(staging: Staging, parts: Mapping[str, str], ids: Sequence[str]) -> np.ndarray:
    """(N, D) raw outputs of `ids`, in their order."""
    files, _ = filesystem(staging.folder)
    found: dict[str, np.ndarray] = {}
    for part in {parts[point] for point in ids}:
        table = pq.read_table(part, columns=["id", "vector"], filesystem=files)
        found.update(zip(table["id"].to_pylist(), vectors_of(table), strict=True))
    return np.stack([found[point] for point in ids])


def load_rows(
    store: Store,
    version: str,
    targets: Sequence[Target],
    rows: Mapping[str, Row],
    fence: Fence,
    files_above: int | None = None,
) -> tuple[set[str], int]:
    """Write rows to a version; returns the ids that the store acknowledged, and their bytes.

    The embedded engine takes one writer: this process, which also reads, as starting others takes longer than
    they save. A server takes many.
    """
    if not rows:
        return set(), 0
    first, *others = targets
    places = first.staging.places()
    parts = sorted({places[point] for point in rows})
    further = [{p: part for p, part in t.staging.places().items() if p in rows} for t in others]
    load = Load(version, targets, rows, further, files_above)
    files, _ = filesystem(first.staging.folder)
    with progress("load", len(rows)) as bar:
        if not store.parallel_writes:
            read_ahead = pads.dataset(parts, filesystem=files, format="parquet").to_batches(batch_size=_BATCH)
            return _drain(_joined(read_ahead), lambda batch: load.write(store, batch), bar.update)
        import ray
        from ray.data import ActorPoolStrategy

        # Parts hold about a hundred rows; one task a part would be too many tasks.
        blocks = max(1, min(64, len(parts) // 8))
        with classic_reader():
            staged = ray.data.read_parquet(parts, filesystem=files, num_cpus=0.5, override_num_blocks=blocks)
        answers = staged.map_batches(
            _Writer,
            fn_constructor_args=(load, store.address, _about_server(), fence),
            batch_size=_BATCH,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=min(store.writers(version), 1 + len(rows) // _ROWS_A_WRITER)),
            num_cpus=0.25,
        )
        answered = answers.iter_batches(batch_size=_BATCH, batch_format="pyarrow")
        return _drain(answered, _Writer.read, bar.update)


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Join parts to tables of about `_BATCH` rows, because every write to the store has a fixed cost."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _BATCH:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _about_server() -> dict[str, str]:
    about = {name: os.environ[name] for name in _ABOUT_SERVER if name in os.environ}
    authority = private_authority()  # as text: the file need not be on other nodes
    return about | ({VARIABLE: authority} if authority else {})


def _drain(
    batches: Iterable[pa.Table],
    take: Callable[[pa.Table], tuple[list[str], int]],
    advance: Callable[[int], Any],
) -> tuple[set[str], int]:
    done: set[str] = set()
    size = 0
    for batch in batches:
        ids, more = take(batch)
        advance(len(set(ids) - done))
        done.update(ids)
        size += more
    return done, size


class _Writer:
    """An actor that writes batches to a server and answers with the ids that were acknowledged."""

    def __init__(self, load: Load, url: str, environment: dict[str, str], fence: Fence) -> None:
        os.environ.update(environment)
        self.load = load
        self.store = fenced(open_store(url=url), asked_rarely(fence.check))

    def __call__(self, batch: pa.Table) -> pa.Table:
        ids, size = self.load.write(self.store, batch)
        each = [size / max(1, len(ids))] * len(ids)
        return pa.table({"id": pa.array(ids, pa.string()), "bytes": pa.array(each, pa.float64())})

    @staticmethod
    def read(answer: pa.Table) -> tuple[list[str], int]:
        return answer["id"].to_pylist(), int(sum(answer["bytes"].to_pylist()))
