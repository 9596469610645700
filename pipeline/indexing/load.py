"""Stage 4, load: staged rows -> prepared vectors and codes -> a new version in the store."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipeline.indexing.plan import Plan
from pipeline.indexing.progress import progress
from pipeline.indexing.staging import Staging, filesystem, vectors_of
from pipeline.projection import Projection
from pipeline.store import Store, open_store
from pipeline.store.protocol import RESERVED

__all__ = ["Load", "load_rows", "payloads_of"]

_BATCH = 512


@dataclass
class Load:
    """What turns staged rows of one encoder into points; sent to writers as it is.

    Attributes:
        version: where to write.
        vector, code: names of the two vectors.
        projection: raw -> prepared.
        payloads: id -> (payload JSON, places).
        first: True for the encoder that creates the points, False for those that add vectors to them.
    """

    version: str
    vector: str
    code: str
    projection: Projection
    payloads: dict[str, tuple[str, list[str]]]
    credit: str | None
    first: bool
    written: set[str] = field(default_factory=set)

    def write(self, store: Store, rows: pa.Table) -> list[str]:
        """Write the rows that belong to the plan and were not written yet; returns their ids."""
        ids = rows["id"].to_pylist()
        keep = [i for i, point in enumerate(ids) if point in self.payloads and point not in self.written]
        keep = list({ids[i]: i for i in keep}.values())  # a row can be staged twice after a crash
        if not keep:
            return []
        rows = rows.take(keep)
        ids = rows["id"].to_pylist()
        prepared = self.projection.apply(vectors_of(rows))
        vectors = {self.vector: prepared, self.code: Projection.codes(prepared)}
        if self.first:
            store.upsert(self.version, ids, vectors, [self._payload(row) for row in _without_vectors(rows)])
        else:
            store.update_vectors(self.version, ids, vectors)
        self.written.update(ids)
        return ids

    def _payload(self, row: dict[str, Any]) -> dict[str, Any]:
        payload, places = self.payloads[row["id"]]
        own = {
            "places": places,
            "width": row["width"],
            "height": row["height"],
            "thumbnail": base64.b64encode(row["thumbnail"]).decode(),
            "thumbnail_type": row["thumbnail_type"],
        }
        if self.credit:
            own["credit"] = self.credit
        return json.loads(payload) | {RESERVED: own}


def _without_vectors(rows: pa.Table) -> list[dict[str, Any]]:
    return rows.drop_columns(["vector"]).to_pylist()


def payloads_of(plan: Plan) -> dict[str, tuple[str, list[str]]]:
    """Id -> payload JSON of its first row, and all its places."""
    repeats = plan.places()
    return {
        row["id"]: (row["payload"], repeats.get(row["id"], [f"{row['file']}:{row['row']}"]))
        for row in plan.unique.select(["id", "payload", "file", "row"]).to_pylist()
    }


def load_rows(store: Store, staging: Staging, load: Load) -> set[str]:
    """Write every staged row of the plan; returns the ids that the store acknowledged.

    The embedded engine takes one writer, so the driver writes while Ray reads ahead; a server takes many.
    """
    import ray

    files, _ = filesystem(staging.folder)
    # One file a task is too many tasks for parts of a hundred rows.
    parts = staging.parts()
    rows = ray.data.read_parquet(
        parts, filesystem=files, num_cpus=0.5, override_num_blocks=max(1, min(64, len(parts) // 8))
    )
    with progress("load", len(load.payloads)) as bar:
        if not store.parallel_writes:
            return _drain(rows, lambda batch: load.write(store, batch), bar.update)
        from ray.data import ActorPoolStrategy

        written = rows.map_batches(
            _Writer,
            fn_constructor_args=(load, store.address),
            batch_size=_BATCH,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(min_size=1, max_size=4),
            num_cpus=0.25,
        )
        return _drain(written, lambda batch: batch["id"].to_pylist(), bar.update)


def _drain(rows: Any, take: Callable[[pa.Table], list[str]], advance: Callable[[int], Any]) -> set[str]:
    done: set[str] = set()
    for batch in rows.iter_batches(batch_size=_BATCH, batch_format="pyarrow"):
        fresh = set(take(batch)) - done
        done |= fresh
        advance(len(fresh))
    return done


class _Writer:
    """An actor that writes batches to a server and answers with the ids that were acknowledged."""

    def __init__(self, load: Load, url: str) -> None:
        self.load = load
        self.store = open_store(url=url)

    def __call__(self, batch: pa.Table) -> pa.Table:
        return pa.table({"id": pa.array(self.load.write(self.store, batch), pa.string())})
