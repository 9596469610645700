"""The actor of the embed stage: holds the networks, turns batches of rows into staged parts."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.images import THUMBNAIL_SIDE
from pipeline.indexing.crash_marks import MOST_DEATHS, Marks
from pipeline.indexing.decode_and_embed import Group, embed_group, rejected_group
from pipeline.indexing.reservation import peak_memory
from pipeline.sources import image_bytes
from pipeline.staging.parts import Staging, part_name

__all__ = ["Acknowledgement", "EmbedActor"]

_ACKNOWLEDGEMENT = pa.schema(
    [
        *(
            (name, pa.int64())
            for name in ("rows", "rejected", "single_colour", "staged_bytes", "peak_memory")
        ),
        *((name, pa.string()) for name in ("actor", "host", "node", "device")),
        ("ready", pa.float64()),
        ("changed", pa.list_(pa.string())),
    ]
)

# Images that a thread prepares before the network sees the first of them. Preparing and embedding use the
# processor's cache for different things: in groups of eight an image takes 4 % less time than one by one.
_AT_ONCE = 8


@dataclass(frozen=True)
class Acknowledgement:
    """What an actor says when all of a batch is on storage.

    Attributes:
        rows, rejected: of the batch.
        changed: ids of those whose file changed after it was hashed. Nothing is staged of them, not even a
            reject: the same bytes may be there again when the next job runs.
        single_colour: pictures in which there is nothing but one colour.
        actor, host, node, device: who embedded it.
        staged_bytes: written for it.
        peak_memory: of the actor's process so far, in bytes.
        ready: when the actor's networks were loaded, in seconds since the epoch.
    """

    rows: int
    rejected: int
    single_colour: int
    actor: str
    host: str
    node: str
    device: str
    staged_bytes: int
    peak_memory: int
    ready: float
    changed: list[str]


@dataclass(frozen=True)
class _Work:
    """What was done with a batch: ids without vectors, bytes staged, and counts as in `Acknowledgement`."""

    rejected: set[str] = field(default_factory=set)
    staged_bytes: int = 0
    single_colour: int = 0


class EmbedActor:
    """Embeds batches of rows. A batch is acknowledged when all of it is on storage.

    Ray sends two batches at once; a killed actor loses no more than these two.
    """

    def __init__(self, stagings: dict[str, Staging], threads: int, rows: int) -> None:
        """
        Args:
            stagings: encoder name -> where its vectors are staged.
            threads: images worked on at once. Each thread takes a picture from its bytes to its vector, so
                that no core waits for another.
            rows: roughly how many are to come.
        """
        import ray
        from ray.util.metrics import Counter

        from pipeline.encoders import load_encoder
        from pipeline.encoders.all_cores import one_thread

        os.environ["OMP_NUM_THREADS"] = "1"  # of torch and ONNX Runtime, for each of the threads here
        one_thread()
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads, initializer=one_thread)
        self.encoders = {name: load_encoder(name) for name in stagings}
        for encoder in self.encoders.values():
            encoder.accelerate(rows)
        self.stagings = stagings
        self.decode_side = max(THUMBNAIL_SIDE, *(encoder.decode_side for encoder in self.encoders.values()))
        first = next(iter(self.encoders.values()))
        self.device = f"{first.device} {first.runtime}"
        self.actor = ray.get_runtime_context().get_actor_id() or "local"
        self.host = socket.gethostname()
        self.node = ray.get_runtime_context().get_node_id()
        self.marks = Marks.beside(next(iter(stagings.values())))
        with warnings.catch_warnings():
            # Ray's own implementation of this property raises a deprecation warning.
            warnings.simplefilter("ignore")
            self.died_before = ray.get_runtime_context().was_current_actor_reconstructed
        tags = {"collection": next(iter(stagings.values())).collection}
        self.counters = {
            name: Counter(f"simile_{name}", description, tag_keys=("collection",)).set_default_tags(tags)
            for name, description in (
                ("rows_embedded", "Rows whose vectors are staged"),
                ("rows_rejected", "Rows that could not be decoded or embedded"),
                ("bytes_staged", "Bytes of staged vectors and thumbnails"),
            )
        }
        self.one_at_a_time = threading.Lock()
        self.failure: OSError | None = None  # what went wrong when a part was written
        self.ready = time.time()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """(image, id, needs) -> one acknowledgement of the batch, after its vectors are on storage.

        Raises:
            OSError: they could not be written. The job ends then: what waits here is not even begun with.
        """
        if self.failure:
            raise self.failure
        wanted = np.asarray(batch["needs"]) > 0
        changed = batch["id"].filter(pa.array(~wanted)).to_pylist()
        batch = batch.filter(pa.array(wanted))
        ids, needs = batch["id"].to_pylist(), batch["needs"].to_pylist()
        name = part_name(ids)
        rejects, work = self._before(name, ids, needs), _Work()
        if rejects is None:
            try:
                work = self._embed(name, ids, needs, image_bytes(batch))
            except OSError as error:
                self.failure = error
                raise
            rejects = work.rejected
        staged_bytes = work.staged_bytes
        self._count(len(ids), len(rejects), staged_bytes)
        done = Acknowledgement(
            rows=len(ids) + len(changed),
            rejected=len(rejects),
            single_colour=work.single_colour,
            actor=self.actor,
            host=self.host,
            node=self.node,
            device=self.device,
            staged_bytes=staged_bytes,
            peak_memory=peak_memory(),
            ready=self.ready,
            changed=changed,
        )
        return pa.Table.from_pylist([asdict(done)], schema=_ACKNOWLEDGEMENT)

    def _before(self, name: str, ids: list[str], needs: list[int]) -> set[str] | None:
        """Rejected ids if this very batch was staged by an actor that died before it could answer."""
        rejected: set[str] = set()
        for bit, staging in enumerate(self.stagings.values()):
            answered = staging.answered(name)
            if any(need >> bit & 1 and point not in answered for point, need in zip(ids, needs, strict=True)):
                return None
            rejected.update(point for point, was_rejected in answered.items() if was_rejected)
        return rejected

    def _embed(self, name: str, ids: list[str], needs: list[int], images: Any) -> _Work:
        """Decode and embed; stage what worked and what did not."""
        rows = list(zip(ids, needs, images, strict=True))
        done = self._carefully(name, rows) if self.died_before else self._together(rows)
        broken = [reject for group in done for reject in group.broken]
        rejected, size = {reject.id or "" for reject in broken}, 0
        needed = dict(zip(ids, needs, strict=True))
        for bit, (encoder_name, staging) in enumerate(self.stagings.items()):
            mine = [reject for reject in broken if needed[reject.id or ""] >> bit & 1]
            outputs = [group.outputs[encoder_name] for group in done]
            failed = [reject for output in outputs for reject in output.failed]
            kept = [picture for output in outputs for picture in output.kept]
            # Rejects first: a part without its rejects would be taken for a whole batch.
            if mine or failed:
                staging.write_rejects(name, mine + failed)
            if kept:
                vectors = np.concatenate([output.vectors for output in outputs if output.kept])
                size += staging.write(name, kept, vectors)
            rejected.update(reject.id or "" for reject in failed)
        single_colour = sum(group.single_colour for group in done)
        return _Work(rejected, size, single_colour)

    def _together(self, rows: list[tuple[str, int, bytes | None]]) -> list[Group]:
        """A few images at a time in each thread."""
        at_once = max(_AT_ONCE, min(encoder.batch_size for encoder in self.encoders.values()))
        step = max(1, min(math.ceil(len(rows) / self.threads), at_once))
        groups = [rows[start : start + step] for start in range(0, len(rows), step)]
        return list(self.pool.map(partial(embed_group, self.encoders, self.decode_side), groups))

    def _carefully(self, name: str, rows: list[tuple[str, int, bytes | None]]) -> list[Group]:
        """After a death: if it was this batch that killed, one image after the other, without the killer.

        No other image is at work then, which would be blamed too.
        """
        with self.one_at_a_time, self.marks.marked(name) as deaths:
            return [self._alone(row) for row in rows] if deaths else self._together(rows)

    def _alone(self, row: tuple[str, int, bytes | None]) -> Group:
        with self.marks.marked(row[0]) as deaths:
            if deaths < MOST_DEATHS:
                return embed_group(self.encoders, self.decode_side, [row])
            reason = f"workers died of it, {deaths} times"
            return rejected_group(self.encoders, row, reason, "workers died of it")

    def _count(self, rows: int, rejected: int, size: int) -> None:
        for name, value in (("embedded", rows - rejected), ("rejected", rejected)):
            if value:  # Ray's counters refuse zero
                self.counters[f"rows_{name}"].inc(value)
        if size:
            self.counters["bytes_staged"].inc(size)
