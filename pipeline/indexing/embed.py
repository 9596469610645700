"""Stage 2, embed: rows that are not staged yet -> actors with the networks -> staged vectors."""

import hashlib
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.indexing.crash_marks import Marks
from pipeline.indexing.embed_actor import Acknowledgement, EmbedActor
from pipeline.indexing.plan import Plan, missing_rows
from pipeline.indexing.reservation import Reservation, reserve, spread
from pipeline.progress import progress
from pipeline.sources import Source, image_bytes, read_rows
from pipeline.staging.parts import Staging

__all__ = ["ActorReport", "EmbedResult", "embed_missing"]

# Rows that an actor works on at once. They are embedded again when it is killed, which takes a slow encoder
# minutes if they are many. They come in two batches: one is embedded while the other is written.
BATCH = 128
GPU_BATCH = 512  # fewer would leave a GPU idle
_HALVES = 2


@dataclass
class ActorReport:
    """What one actor did; `start_up` in seconds until its networks were loaded, `peak_memory` in bytes."""

    host: str
    node: str
    device: str
    rows: int = 0
    start_up: float = 0.0
    peak_memory: int = 0


@dataclass
class EmbedResult:
    """What the embed stage did."""

    embedded: int = 0  # rows that every encoder missing them has staged
    staged_bytes: int = 0
    single_colour: int = 0  # pictures that are nothing but one colour
    actors: dict[str, ActorReport] = field(default_factory=dict)  # by the actor's id
    changed: set[str] = field(default_factory=set)  # ids of rows whose files are not what they were


def embed_missing(
    plan: Plan,
    source: Source,
    stagings: dict[str, Staging],
    reserved: Callable[[], Reservation] = reserve,
    limit: int | None = None,
) -> EmbedResult:
    """Embed every unique row that some encoder has neither staged nor rejected.

    Args:
        plan: from stage 1.
        source: what the plan was made of.
        stagings: encoder name -> where its vectors are staged.
        reserved: gives the actors and what each reserves; asked only if there is something to embed. By
            default they are as many as the cluster has room for.
        limit: the same limit as the plan's.

    Raises:
        SimileError: storage is full, or the actors keep failing; what is staged stays.
    """
    import ray

    result, began = EmbedResult(), time.time()
    missing = missing_rows(plan, stagings)
    if not missing.num_rows:
        return result
    reservation = reserved()
    batch_size = (GPU_BATCH if reservation.actor_gpus else BATCH) // _HALVES
    pool = _pool(reservation, math.ceil(missing.num_rows / batch_size))
    rows: Any = read_rows(source, limit=limit, columns=(), num_cpus=reservation.read_cpus)
    _let_grow(rows.context, reservation, pool.max_size)
    wanted = rows.map_batches(
        _keep_missing,
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"missing": ray.put(missing.select(["row_key", "id", "digest", "needs"]))},
        num_cpus=reservation.read_cpus,
    )
    with spread(reservation) as spots, warnings.catch_warnings():
        # Ray has no other way yet to spread actors, and takes this one until 2.63 (see requirements.txt).
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        acknowledged = wanted.map_batches(
            EmbedActor,
            fn_constructor_args=(stagings, reservation.threads, missing.num_rows // reservation.actors),
            batch_size=batch_size,
            batch_format="pyarrow",
            compute=pool,
            num_cpus=reservation.actor_cpus,
            num_gpus=reservation.actor_gpus or None,
            scheduling_strategy=spots,
        )
        with progress("embed", missing.num_rows) as bar:
            for batch in acknowledged.iter_batches(batch_size=None, batch_format="pyarrow"):
                for row in batch.to_pylist():
                    done = Acknowledgement(**row)
                    _collect(done, result, began)
                    bar.update(done.rows)
    Marks.beside(next(iter(stagings.values()))).clear()
    return result


def _pool(reservation: Reservation, batches: int) -> Any:
    """The actors of so many batches: a fixed number, or as many as there is work and room for."""
    from ray.data import ActorPoolStrategy

    # More tasks would wait at one actor while another has none.
    settings: Any = {
        "max_concurrent_calls_per_actor": _HALVES,
        "max_tasks_in_flight_per_actor": _HALVES,
        "enable_true_multi_threading": True,
    }
    if reservation.most is None:
        return ActorPoolStrategy(size=reservation.actors, **settings)
    most = max(reservation.actors, min(reservation.most, batches))
    return ActorPoolStrategy(min_size=reservation.actors, max_size=most, **settings)


def _let_grow(context: Any, reservation: Reservation, most: int) -> None:
    """An elastic pool grows when each actor has all the tasks that it may have, and asks for no more nodes.

    By default Ray waits for 1.75 times as many, which never come here, and has a node started whenever the
    cluster's GPUs are busy, whether the pool may still grow or not.
    """
    if reservation.most is None:
        return
    from ray.data import ExecutionResources

    context.autoscaling_config.actor_pool_util_upscaling_threshold = 1.0
    if reservation.actor_gpus:
        context.execution_options.resource_limits = ExecutionResources(gpu=most * reservation.actor_gpus)


def _keep_missing(table: pa.Table, missing: Any) -> pa.Table:
    """Leave out rows that are staged or repeat another, before their bytes travel to an actor.

    The id of a row is that of the bytes that were hashed. Where a file holds others by now, or is gone, no
    encoder needs it (`needs` is 0): its vector would stand under the id of another picture.
    """
    import ray

    if isinstance(missing, ray.ObjectRef):
        missing = ray.get(missing)
    known = missing["row_key"].to_numpy()
    keys = table["row_key"].to_numpy()
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    keep = known[at] == keys
    rows = table.select(["image"]).filter(pa.array(keep))
    found = missing.take(pa.array(at[keep]))
    same = [
        data is not None and hashlib.sha256(data).hexdigest() == digest
        for data, digest in zip(image_bytes(rows), found["digest"].to_pylist(), strict=True)
    ]
    needs = np.where(same, found["needs"].to_numpy(), 0)
    return rows.append_column("id", found["id"]).append_column("needs", pa.array(needs, pa.int64()))


def _collect(done: Acknowledgement, result: EmbedResult, began: float) -> None:
    """Add the acknowledgement of a batch to the result."""
    actor = result.actors.setdefault(done.actor, ActorReport(done.host, done.node, done.device))
    actor.rows += done.rows
    actor.start_up = round(done.ready - began, 2)
    actor.peak_memory = max(actor.peak_memory, done.peak_memory)
    result.embedded += done.rows - done.rejected - len(done.changed)
    result.changed.update(done.changed)
    result.staged_bytes += done.staged_bytes
    result.single_colour += done.single_colour
