"""The actor of the embed stage: holds the networks, turns units into staged parts."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa

from pipeline.cluster.reservation import peak_memory
from pipeline.cluster.tasks import read_ahead
from pipeline.images import THUMBNAIL_SIDE
from pipeline.indexing.crash_marks import MOST_DEATHS, Marks
from pipeline.indexing.decode_and_embed import (
    UNITS_AT_ONCE,
    EmbedThreads,
    Group,
    Needed,
    embed_group,
    rejected_group,
)
from pipeline.indexing.earlier_rows import EarlierRows, earlier_rows
from pipeline.indexing.unit_rows import UnitRows
from pipeline.ray_blocks import things_in
from pipeline.sources import Source, Unit, read_unit
from pipeline.staging.known import Known
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging

__all__ = ["Acknowledgement", "EmbedActor", "Missing", "Work"]

_ROWS = 256  # pictures that are handed over together: a GPU's batch; a table of large ones has fewer


@dataclass(frozen=True)
class Acknowledgement:
    """What an actor says when all of a unit is on storage.

    Attributes:
        rows: of the unit.
        actor, host, node, device: who embedded it.
        peak_memory: of the actor's process so far, in bytes.
        ready: when the actor's networks were loaded, in seconds since the epoch.
        attempted, embedded: pictures that were to be embedded, and that were.
        single_colour: pictures in which there is nothing but one colour.
        staged_bytes: written for it.
    """

    rows: int
    actor: str
    host: str
    node: str
    device: str
    peak_memory: int
    ready: float
    attempted: int = 0
    embedded: int = 0
    single_colour: int = 0
    staged_bytes: int = 0


@dataclass(frozen=True)
class Missing:
    """A unit, and what of it is not staged: its rows, vectors of encoder i (bit i of `needs`)."""

    unit: Unit
    needs: int
    with_rows: bool


@dataclass(frozen=True)
class Work:
    """What all units of a job have in common.

    Attributes:
        source: without its rows.
        parts: where rows are staged.
        stagings: encoder name -> where its vectors are staged; those of networks come first.
        credit: that marks are made with.
        given_lengths: encoder name -> numbers in a vector, of vectors that the source has.
    """

    source: Source
    parts: Parts
    stagings: dict[str, Staging]
    credit: str | None
    given_lengths: dict[str, int] = field(default_factory=dict)


class EmbedActor:
    """Embeds units. A unit is acknowledged when all of it is on storage.

    Two units are at work at once; a killed actor loses no more than these two. Ray sends more together where
    there are thousands, and sends all of them again: those that are staged by then are only acknowledged.
    """

    def __init__(self, work: Work, threads: int, rows: int) -> None:
        """
        Args:
            work: what all units have in common.
            threads: images worked on at once.
            rows: roughly how many are to come.
        """
        import ray
        from ray.util.metrics import Counter

        from pipeline.encoders import load_encoder
        from pipeline.encoders.all_cores import one_thread
        from pipeline.encoders.precomputed import is_precomputed

        os.environ["OMP_NUM_THREADS"] = "1"  # of torch and ONNX Runtime, for each of the threads here
        one_thread()
        self.work = work
        self.known: Known | None = None  # asked for once
        self.encoders = {name: load_encoder(name) for name in work.stagings if not is_precomputed(name)}
        for encoder in self.encoders.values():
            encoder.accelerate(rows)
        self.decode_side = max([THUMBNAIL_SIDE, *(each.decode_side for each in self.encoders.values())])
        self.together = EmbedThreads(self.encoders, self.decode_side, threads)
        first = next(iter(self.encoders.values()), None)
        self.device = f"{first.device} {first.runtime}" if first else "no network"
        self.actor = ray.get_runtime_context().get_actor_id() or "local"
        self.host = socket.gethostname()
        self.node = ray.get_runtime_context().get_node_id()
        self.marks = Marks.beside(work.parts)
        tags = {"collection": work.parts.collection}
        self.counters = {
            name: Counter(f"simile_{name}", description, tag_keys=("collection",)).set_default_tags(tags)
            for name, description in (
                ("rows_embedded", "Rows whose vectors are staged"),
                ("rows_rejected", "Rows that could not be decoded or embedded"),
                ("bytes_staged", "Bytes of staged vectors and thumbnails"),
            )
        }
        self.turns = threading.Semaphore(UNITS_AT_ONCE)
        self.alone = threading.Lock()
        self.answers: dict[str, Future[Acknowledgement]] = {}  # by unit
        self.answers_lock = threading.Lock()
        self.failure: OSError | None = None  # what went wrong when a part was written
        self.ready = time.time()

    def __call__(self, batch: pa.Table, known: Any) -> pa.Table:
        """An acknowledgement of each unit that is missing, after all of it is on storage.

        Args:
            batch: a block of `Missing`.
            known: what is staged already, or a reference to it.

        Raises:
            OSError: it could not be written. The job ends then: what waits here is not even begun with.
        """
        if self.known is None:
            import ray

            self.known = ray.get(known) if isinstance(known, ray.ObjectRef) else known
        done = [self._once(each) for each in things_in(batch)]
        return pa.Table.from_pylist([asdict(each) for each in done])

    def _once(self, missing: Missing) -> Acknowledgement:
        """`_unit`, or what it answered before: Ray sends a unit again where the first answer is lost on the
        way, or where a slow machine makes it believe so.
        """
        with self.answers_lock:
            sent_before = missing.unit.name in self.answers
            answer = self.answers.setdefault(missing.unit.name, Future())
        if not sent_before:
            try:
                answer.set_result(self._unit(missing))
            except BaseException as error:
                answer.set_exception(error)
        return answer.result()

    def _unit(self, missing: Missing) -> Acknowledgement:
        if self.failure:
            raise self.failure
        work, unit, with_rows = self.work, missing.unit, missing.with_rows
        assert self.known is not None
        earlier = EarlierRows()
        if work.parts.has(unit.name):
            if self._is_whole(missing):
                return self._acknowledged(unit)
            earlier = earlier_rows(work.parts, work.stagings, unit.name, work.credit, with_rows)
        at_hand = (missing.needs, work.credit, self.known, work.given_lengths, earlier)
        rows = UnitRows(work.source, work.parts, work.stagings, *at_hand)
        with self.marks.marked(unit.name) as deaths:
            at = 0
            columns = (*work.source.payload_columns, *work.source.vector_columns)
            for table in read_ahead(read_unit(work.source, unit, columns)):
                for start in range(0, table.num_rows, _ROWS):
                    needed = rows.add(table.slice(start, _ROWS))
                    if needed:
                        name = f"{unit.name}-{at}"
                        rows.enter(self._carefully(name, needed) if deaths else self._in_turn(needed))
                        needed = []  # so that these pictures do not stay while the next ones come
                    at += 1
            try:
                size = rows.stage(unit.name, with_rows)
            except OSError as error:
                self.failure = error
                raise
        self._count(rows.embedded, len(rows.attempted) - rows.embedded, size)
        return replace(
            self._acknowledged(unit),
            attempted=len(rows.attempted),
            embedded=rows.embedded,
            single_colour=rows.single_colour,
            staged_bytes=size,
        )

    def _is_whole(self, missing: Missing) -> bool:
        """Whether all that is asked of a unit with a part is there: an actor that died had staged it.

        Where rejects are tried again, the part was there before.
        """
        assert self.known is not None
        if missing.with_rows and self.known.rejects_again:
            return False
        stagings = (each for bit, each in enumerate(self.work.stagings.values()) if missing.needs >> bit & 1)
        return all(staging.has(missing.unit.name) for staging in stagings)

    def _acknowledged(self, unit: Unit) -> Acknowledgement:
        """Of a unit for which nothing had to be done."""
        return Acknowledgement(
            unit.rows, self.actor, self.host, self.node, self.device, peak_memory(), self.ready
        )

    def _in_turn(self, rows: list[Needed]) -> list[Group]:
        with self.turns:
            return self.together(rows)

    def _carefully(self, name: str, rows: list[Needed]) -> list[Group]:
        """Where a worker died of this unit: if it was these rows that killed, one image after the other,
        without the killer."""
        with self._nothing_else(), self.marks.marked(name) as deaths:
            return [self._alone(row) for row in rows] if deaths else self.together(rows)

    @contextmanager
    def _nothing_else(self) -> Iterator[None]:
        """No other image is at work in this actor, which would be blamed too."""
        with self.alone:
            for _ in range(UNITS_AT_ONCE):
                self.turns.acquire()
        try:
            yield
        finally:
            self.turns.release(UNITS_AT_ONCE)

    def _alone(self, row: Needed) -> Group:
        with self.marks.marked(row[0]) as deaths:
            if deaths < MOST_DEATHS:
                return embed_group(self.encoders, self.decode_side, [row])
            reason = f"workers died of it, {deaths} times"
            return rejected_group(self.encoders, row, reason, "workers died of it")

    def _count(self, embedded: int, rejected: int, size: int) -> None:
        for name, value in (("embedded", embedded), ("rejected", rejected)):
            if value:  # Ray's counters refuse zero
                self.counters[f"rows_{name}"].inc(value)
        if size:
            self.counters["bytes_staged"].inc(size)
