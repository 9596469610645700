"""Stage 2, embed: units that are not staged yet -> actors with the networks -> parts."""

import socket
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipeline.cluster.reach import SHARE_IT, probe, sees
from pipeline.cluster.reservation import Reservation, reserve, spread
from pipeline.errors import SimileError
from pipeline.indexing.crash_marks import Marks
from pipeline.indexing.decode_and_embed import UNITS_AT_ONCE
from pipeline.indexing.embed_actor import Acknowledgement, EmbedActor, Missing, Work
from pipeline.locks.lock import Held
from pipeline.progress import progress
from pipeline.ray_blocks import blocks_of
from pipeline.sources import Source, Unit, for_tasks
from pipeline.staging.known import known_pictures
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging

__all__ = ["ActorReport", "EmbedResult", "embed_units"]


@dataclass
class ActorReport:
    """What one actor did; `start_up` in seconds until its networks were loaded, `peak_memory` in bytes.

    `rows` are the pictures that it was to embed.
    """

    host: str
    node: str
    device: str
    rows: int = 0
    start_up: float = 0.0
    peak_memory: int = 0


@dataclass
class EmbedResult:
    """What the embed stage did; no rows, only sums."""

    embedded: int = 0  # pictures that went through all the networks that they had to
    staged_bytes: int = 0
    single_colour: int = 0  # pictures that are nothing but one colour
    actors: dict[str, ActorReport] = field(default_factory=dict)  # by the actor's id


def embed_units(
    source: Source,
    units: Sequence[Unit],
    parts: Parts,
    stagings: Mapping[str, Staging],
    reserved: Callable[[], Reservation] = reserve,
    credit: str | None = None,
    rejects_again: bool = False,
    given_lengths: Mapping[str, int] | None = None,
    lock: Held | None = None,
) -> EmbedResult:
    """Stage what is missing of the units: read, hash, decode, embed. What is staged by id is not embedded.

    Args:
        source: of the units.
        parts, stagings: where rows are staged, and by encoder name their vectors.
        reserved: gives the actors and what each reserves; asked only if there is something to embed. By
            default they are as many as the cluster has room for.
        credit: that marks are made with.
        rejects_again: units with rejects are read again, and their rejects tried again; what else is staged
            of them stays.
        given_lengths: encoder name -> numbers in a vector, of vectors that the source has.
        lock: of the job; None: it holds none, as it writes no collection.

    Raises:
        LockLostError: another job has taken the collection over, and does the same work.
        SimileError: storage is full, or the actors keep failing; what is staged stays.
    """
    import ray

    result, began, given = EmbedResult(), time.time(), dict(given_lengths or {})
    # The bits of what is needed follow this order, and actors hold networks alone.
    stagings = dict(sorted(stagings.items(), key=lambda item: item[0] in given))
    missing = _missing(units, parts, stagings, rejects_again)
    if not missing:
        return result
    reservation = reserved()
    rows = sum(each.unit.rows for each in missing)
    known = ray.put(known_pictures(parts, stagings, rejects_again, parts.names()))
    work = Work(for_tasks(source), parts, stagings, credit, given)
    pool = _pool(reservation, len(missing), source.reader.tasks if source.reader else None)
    waiting: Any = ray.data.from_arrow(blocks_of(missing))
    _let_grow(waiting.context, reservation, pool.max_size)
    with probe(parts.home) as mark, spread(reservation) as spots, warnings.catch_warnings():
        # Ray has no other way yet to spread actors, and takes this one until 2.63 (see requirements.txt).
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        acknowledged = waiting.map_batches(
            _EmbedActor,
            fn_constructor_args=(mark, work, reservation.threads, rows // reservation.actors),
            fn_kwargs={"known": known},
            batch_size=1,
            batch_format="pyarrow",
            compute=pool,
            num_cpus=reservation.actor_cpus,
            num_gpus=reservation.actor_gpus or None,
            scheduling_strategy=spots,
        )
        with progress("embed", rows) as bar:
            for batch in acknowledged.iter_batches(batch_size=None, batch_format="pyarrow"):
                if lock:
                    lock.noticed()
                for row in batch.to_pylist():
                    done = Acknowledgement(**row)
                    _collect(done, result, began)
                    bar.update(done.rows)
    if lock:
        lock.check()  # the marks may be those of another job's actors
    Marks.beside(parts).clear()
    return result


class _EmbedActor(EmbedActor):
    """Does nothing on a node that does not see the home: nobody would find what it writes there.

    A pool grows onto nodes that were not there when the job looked at all of them.
    """

    def __init__(self, mark: str, work: Work, threads: int, rows: int) -> None:
        """
        Args:
            mark: a file that the driver has written into the home.
            work, threads, rows: see `EmbedActor`.
        """
        self.home, self.sees_home = work.parts.home, sees(mark)
        if self.sees_home:  # to raise is for `__call__`: an actor that cannot be made is made again by Ray
            super().__init__(work, threads, rows)

    def __call__(self, batch: pa.Table, known: Any) -> pa.Table:
        if not self.sees_home:
            raise SimileError(
                f"The node {socket.gethostname()} joined and does not see the home {self.home}; {SHARE_IT}"
            )
        return super().__call__(batch, known)


def _missing(
    units: Sequence[Unit], parts: Parts, stagings: Mapping[str, Staging], rejects_again: bool
) -> list[Missing]:
    """What is not staged of these units, each once."""
    there, vectors = parts.names(), [staging.names() for staging in stagings.values()]
    every, found = (1 << len(vectors)) - 1, dict[str, Missing]()
    for unit in units:
        again = rejects_again and unit.name in there and _has_rejects(unit.name, parts, stagings)
        with_rows = unit.name not in there or again
        needs = sum((unit.name not in names) << bit for bit, names in enumerate(vectors))
        if with_rows or needs:
            found[unit.name] = Missing(unit, every if with_rows else needs, with_rows)
    return list(found.values())


def _has_rejects(unit: str, parts: Parts, stagings: Mapping[str, Staging]) -> bool:
    return bool(parts.rejected(unit)) or any(each.rejects(unit) for each in stagings.values())


def _pool(reservation: Reservation, units: int, most_tasks: int | None) -> Any:
    """The actors of so many units: a fixed number, or as many as there is work and room for.

    Args:
        most_tasks: that may read the source at once.
    """
    from ray.data import ActorPoolStrategy

    at_once = UNITS_AT_ONCE if most_tasks is None else 1
    # More tasks would wait at one actor while another has none.
    settings: Any = {
        "max_concurrent_calls_per_actor": at_once,
        "max_tasks_in_flight_per_actor": at_once,
        "enable_true_multi_threading": True,
    }
    least = min(reservation.actors, most_tasks or reservation.actors)
    if reservation.most is None:
        return ActorPoolStrategy(size=least, **settings)
    most = max(least, min(reservation.most, units, most_tasks or units))
    return ActorPoolStrategy(min_size=least, max_size=most, **settings)


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


def _collect(done: Acknowledgement, result: EmbedResult, began: float) -> None:
    """Add the acknowledgement of a unit to the result."""
    actor = result.actors.setdefault(done.actor, ActorReport(done.host, done.node, done.device))
    actor.rows += done.attempted
    actor.start_up = round(done.ready - began, 2)
    actor.peak_memory = max(actor.peak_memory, done.peak_memory)
    result.embedded += done.embedded
    result.staged_bytes += done.staged_bytes
    result.single_colour += done.single_colour
