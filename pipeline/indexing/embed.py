"""Stage 2, embed: rows that are not staged yet -> actors with the networks -> staged vectors."""

import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.indexing.crash_marks import Marks
from pipeline.indexing.embed_actor import Embedder
from pipeline.indexing.plan import Plan
from pipeline.indexing.reservation import Reservation, reserve, spread
from pipeline.progress import progress
from pipeline.sources import Source, read_rows
from pipeline.staging.parts import Staging

__all__ = ["EmbedResult", "embed_missing"]

# Rows at work in an actor, embedded again when it is killed; more would cost a slow encoder minutes.
# They come in halves: while one is written, the other has the cores.
BATCH = 128
GPU_BATCH = 512  # a GPU needs more of them to be busy
_HALVES = 2


@dataclass
class EmbedResult:
    """What the embed stage did."""

    embedded: int = 0  # rows that every encoder missing them has staged
    staged_bytes: int = 0
    actors: dict[str, dict[str, Any]] = field(default_factory=dict)  # actor -> host, device, rows, …


def embed_missing(
    plan: Plan,
    source: Source,
    stagings: dict[str, Staging],
    reservation: Reservation | None = None,
    limit: int | None = None,
) -> EmbedResult:
    """Embed every unique row that some encoder has neither staged nor rejected.

    Args:
        plan: from stage 1.
        source: what the plan was made of.
        stagings: encoder name -> where its vectors are staged.
        reservation: actors and what each reserves; by default as many as the cluster has room for.
        limit: the same limit as the plan's.

    Raises:
        SimileError: storage is full, or the actors keep failing; what is staged stays.
    """
    import ray
    from ray.data import ActorPoolStrategy

    result, began = EmbedResult(), time.time()
    missing = _missing(plan, stagings)
    if not missing.num_rows:
        return result
    reservation = reservation or reserve()
    rows: Any = read_rows(source, limit=limit, columns=(), num_cpus=reservation.read_cpus)
    wanted = rows.map_batches(
        _keep_missing,
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"missing": ray.put(missing.select(["row_key", "id", "needs"]))},
        num_cpus=reservation.read_cpus,
    )
    with spread(reservation) as spots, warnings.catch_warnings():
        # Ray has no other way yet to spread actors, and takes this one until 2.63 (see requirements.txt).
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        acknowledged = wanted.map_batches(
            Embedder,
            fn_constructor_args=(stagings, reservation.threads, missing.num_rows // reservation.actors),
            batch_size=(GPU_BATCH if reservation.actor_gpus else BATCH) // _HALVES,
            batch_format="pyarrow",
            # More tasks would wait at one actor while another has none.
            compute=ActorPoolStrategy(
                size=reservation.actors,
                max_concurrent_calls_per_actor=_HALVES,
                max_tasks_in_flight_per_actor=_HALVES,
                enable_true_multi_threading=True,
            ),
            num_cpus=reservation.actor_cpus,
            num_gpus=reservation.actor_gpus or None,
            scheduling_strategy=spots,
        )
        with progress("embed", missing.num_rows) as bar:
            for batch in acknowledged.iter_batches(batch_size=None, batch_format="pyarrow"):
                for done in batch.to_pylist():
                    _collect(done, result, began)
                    bar.update(done["rows"])
    Marks.beside(next(iter(stagings.values()))).clear()
    return result


def _missing(plan: Plan, stagings: dict[str, Staging]) -> pa.Table:
    """Unique rows with `needs`: bit i is set when encoder i has no answer for them; sorted by row_key."""
    table = plan.unique
    needs = np.zeros(table.num_rows, np.int64)
    ids = table["id"].to_pylist()
    for bit, staging in enumerate(stagings.values()):
        answered = staging.ids().union(staging.rejects()["id"].to_pylist())
        needs |= np.array([point not in answered for point in ids], np.int64) << bit
    table = table.append_column("needs", pa.array(needs))
    return table.filter(pa.array(needs > 0)).sort_by("row_key")


def _keep_missing(table: pa.Table, missing: Any) -> pa.Table:
    """Leave out rows that are staged or repeat another, before their bytes travel to an actor."""
    import ray

    if isinstance(missing, ray.ObjectRef):
        missing = ray.get(missing)
    known = missing["row_key"].to_numpy()
    keys = table["row_key"].to_numpy()
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    keep = known[at] == keys
    rows = table.select(["image"]).filter(pa.array(keep))
    found = missing.take(pa.array(at[keep]))
    return rows.append_column("id", found["id"]).append_column("needs", found["needs"])


def _collect(done: dict[str, Any], result: EmbedResult, began: float) -> None:
    """Enter the acknowledgement of a batch."""
    empty = {"host": done["host"], "node": done["node"], "device": done["device"], "rows": 0}
    actor = result.actors.setdefault(done["actor"], empty)
    actor["rows"] += done["rows"]
    actor["start_up"] = round(done["ready"] - began, 2)  # seconds until its networks were ready
    actor["peak_memory"] = max(actor.get("peak_memory", 0), done["peak_memory"])
    result.embedded += done["rows"] - done["rejected"]
    result.staged_bytes += done["staged_bytes"]
