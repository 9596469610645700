"""The actor of the embed stage: holds the networks, turns batches of rows into staged parts."""

from __future__ import annotations

import math
import socket
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.images import THUMBNAIL_SIDE
from pipeline.indexing.crash_marks import MOST_DEATHS, Marks
from pipeline.indexing.decode_and_embed import Group, embed_group, rejected_group
from pipeline.indexing.reservation import peak_memory
from pipeline.sources import image_bytes
from pipeline.staging.parts import REJECT_COLUMNS, Staging, part_name

__all__ = ["Embedder"]

# Images made ready one after the other before a network, which needs all of the cache, sees them: an image
# takes 4 % less of a core than one by one. More gain nothing.
_AT_ONCE = 8


class Embedder:
    """Batches, each answered when all of it is on storage; Ray calls with two of them at once.

    A killed actor loses no more than these.
    """

    def __init__(self, stagings: dict[str, Staging], threads: int, rows: int) -> None:
        """
        Args:
            stagings: encoder name -> where its vectors are staged.
            threads: images worked on at once. Each thread takes a picture from its bytes to its vector: cores
                never wait for each other, as they do where one network is spread over them.
            rows: roughly how many are to come.
        """
        import ray
        import torch
        from ray.util.metrics import Counter

        from pipeline.encoders import load_encoder

        torch.set_num_threads(1)
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
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
            # Ray asks itself in a way that it warns of.
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
        self.failure: OSError | None = None  # of storage
        self.ready = time.time()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """(image, id, needs) -> one acknowledgement of the batch, after its vectors are on storage.

        Raises:
            OSError: they could not be written. The job ends then: what waits here is not even begun with.
        """
        if self.failure:
            raise self.failure
        ids, needs = batch["id"].to_pylist(), batch["needs"].to_pylist()
        name = part_name(ids)
        rejects, staged_bytes = self._before(name, ids, needs), 0
        if rejects is None:
            try:
                rejects, staged_bytes = self._embed(name, ids, needs, image_bytes(batch))
            except OSError as error:
                self.failure = error
                raise
        self._count(len(ids), len(rejects), staged_bytes)
        done = {
            "rows": len(ids),
            "rejected": len(rejects),
            "actor": self.actor,
            "host": self.host,
            "node": self.node,
            "device": self.device,
            "staged_bytes": staged_bytes,
            "peak_memory": peak_memory(),
            "ready": self.ready,
        }
        return pa.Table.from_pylist([done], schema=_ACKNOWLEDGEMENT)

    def _before(self, name: str, ids: list[str], needs: list[int]) -> set[str] | None:
        """Rejected ids if this very batch was staged by an actor that died before it could answer."""
        rejected: set[str] = set()
        for bit, staging in enumerate(self.stagings.values()):
            answered = staging.answered(name)
            if any(need >> bit & 1 and point not in answered for point, need in zip(ids, needs, strict=True)):
                return None
            rejected.update(point for point, reject in answered.items() if reject)
        return rejected

    def _embed(self, name: str, ids: list[str], needs: list[int], images: Any) -> tuple[set[str], int]:
        """Decode and embed; stage what worked and what did not. Returns rejected ids and bytes written."""
        rows = list(zip(ids, needs, images, strict=True))
        done = self._carefully(name, rows) if self.died_before else self._together(rows)
        broken = [reject for group in done for reject in group.broken]
        rejected, size = {row["id"] for row in broken}, 0
        needed = dict(zip(ids, needs, strict=True))
        for bit, (encoder_name, staging) in enumerate(self.stagings.items()):
            mine = [row for row in broken if needed[row["id"]] >> bit & 1]
            outputs = [group.outputs[encoder_name] for group in done]
            failed = [reject for output in outputs for reject in output.failed]
            kept = [row for output in outputs for row in output.kept]
            # Rejects first: a part without its rejects would be taken for a whole batch.
            if mine or failed:
                staging.write_rejects(name, pa.Table.from_pylist(mine + failed, schema=_REJECTED))
            if kept:
                vectors = np.concatenate([output.vectors for output in outputs if output.kept])
                size += staging.write(name, _part(kept, vectors))
            rejected.update(row["id"] for row in failed)
        return rejected, size

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
            return rejected_group(self.encoders, row, f"workers died of it, {deaths} times")

    def _count(self, rows: int, rejected: int, size: int) -> None:
        for name, value in (("embedded", rows - rejected), ("rejected", rejected)):
            if value:  # a counter refuses zero
                self.counters[f"rows_{name}"].inc(value)
        if size:
            self.counters["bytes_staged"].inc(size)


def _part(rows: list[dict[str, Any]], vectors: np.ndarray) -> pa.Table:
    half = vectors.astype(np.float16)
    return pa.table(
        {
            "id": pa.array([row["id"] for row in rows], pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(half.reshape(-1)), half.shape[1]),
            "thumbnail": pa.array([row["thumbnail"] for row in rows], pa.binary()),
            "thumbnail_type": pa.array([row["thumbnail_type"] for row in rows], pa.string()),
            "width": pa.array([row["width"] for row in rows], pa.int32()),
            "height": pa.array([row["height"] for row in rows], pa.int32()),
        }
    )


_REJECTED = pa.schema([(name, pa.string()) for name in REJECT_COLUMNS])
_ACKNOWLEDGEMENT = pa.schema(
    [
        ("rows", pa.int64()),
        ("rejected", pa.int64()),
        ("actor", pa.string()),
        ("host", pa.string()),
        ("node", pa.string()),
        ("device", pa.string()),
        ("staged_bytes", pa.int64()),
        ("peak_memory", pa.int64()),
        ("ready", pa.float64()),
    ]
)
