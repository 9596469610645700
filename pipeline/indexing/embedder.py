"""The actor of the embed stage: holds the networks, turns batches of rows into staged parts."""

import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.errors import ImageError
from pipeline.images import THUMBNAIL_SIDE, decode, header_size, thumbnail
from pipeline.indexing.staging import REJECT_COLUMNS, Staging, part_name
from pipeline.sources import image_bytes

__all__ = ["Embedder", "peak_memory"]


def peak_memory() -> int:
    """Bytes: the largest resident set of this process so far; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Embedder:
    """Answers a batch only after all of it is on storage, so that a killed actor loses one batch at most."""

    def __init__(self, stagings: dict[str, Staging], threads: int) -> None:
        import ray
        import torch
        from ray.util.metrics import Counter

        from pipeline.encoders import load_encoder

        torch.set_num_threads(threads)
        self.encoders = {name: load_encoder(name) for name in stagings}
        self.stagings = stagings
        self.decode_side = max(THUMBNAIL_SIDE, *(encoder.decode_side for encoder in self.encoders.values()))
        self.device = str(next(iter(self.encoders.values())).device)
        self.actor = ray.get_runtime_context().get_actor_id() or "local"
        self.host = socket.gethostname()
        self.node = ray.get_runtime_context().get_node_id()
        tags = {"collection": next(iter(stagings.values())).collection}
        self.counters = {
            name: Counter(f"simile_{name}", description, tag_keys=("collection",)).set_default_tags(tags)
            for name, description in (
                ("rows_embedded", "Rows whose vectors are staged"),
                ("rows_rejected", "Rows that could not be decoded or embedded"),
                ("bytes_staged", "Bytes of staged vectors and thumbnails"),
            )
        }

    def __call__(self, batch: pa.Table) -> pa.Table:
        """(image, id, needs) -> one acknowledgement a row, after its vectors are on storage."""
        start = time.perf_counter()
        ids, needs = batch["id"].to_pylist(), batch["needs"].to_pylist()
        name = part_name(ids)
        rejects, staged_bytes = self._before(name, ids, needs), 0
        if rejects is None:
            rejects, staged_bytes = self._embed(name, ids, needs, image_bytes(batch))
        self._count(len(ids), len(rejects), staged_bytes)
        where = {
            "actor": self.actor,
            "host": self.host,
            "node": self.node,
            "device": self.device,
            "seconds": (time.perf_counter() - start) / max(1, len(ids)),
            "staged_bytes": staged_bytes / max(1, len(ids)),
            "peak_memory": peak_memory(),
        }
        rows = [{"id": point, "rejected": point in rejects} | where for point in ids]
        return pa.Table.from_pylist(rows, schema=_ACKNOWLEDGEMENT)

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
        broken: list[dict[str, Any]] = []
        rows = []
        for point, need, data in zip(ids, needs, images, strict=True):
            row = _attempt(broken, point, data, "decode", partial(self._decode, data))
            if row is not None:
                rows.append({"id": point, "needs": need, "data": data} | row)
        rejected, size = {row["id"] for row in broken}, 0
        needed = dict(zip(ids, needs, strict=True))
        for bit, (encoder_name, encoder) in enumerate(self.encoders.items()):
            mine = [row for row in broken if needed[row["id"]] >> bit & 1]
            wanted = [row for row in rows if row["needs"] >> bit & 1]
            vectors, kept, failed = _vectors(encoder_name, encoder, wanted)
            staging = self.stagings[encoder_name]
            # Rejects first: a part without its rejects would be taken for a whole batch.
            if mine or failed:
                staging.write_rejects(name, pa.Table.from_pylist(mine + failed, schema=_REJECTED))
            if kept:
                size += staging.write(name, _part(kept, vectors))
            rejected.update(row["id"] for row in failed)
        return rejected, size

    def _decode(self, data: bytes | None) -> dict[str, Any]:
        image = decode(data or b"", min_side=self.decode_side)
        encoded, kind = thumbnail(image, data)
        width, height = header_size(data or b"")  # of the source; `image` may be decoded at a smaller scale
        return {
            "image": image,
            "thumbnail": encoded,
            "thumbnail_type": kind,
            "width": width,
            "height": height,
        }

    def _count(self, rows: int, rejected: int, size: int) -> None:
        for name, value in (("embedded", rows - rejected), ("rejected", rejected)):
            if value:  # a counter refuses zero
                self.counters[f"rows_{name}"].inc(value)
        if size:
            self.counters["bytes_staged"].inc(size)


def _vectors(name: str, encoder: Any, rows: list) -> tuple[np.ndarray, list, list[dict[str, Any]]]:
    """Finite raw outputs (N, D), the rows they belong to, and rejects for the others."""
    import torch

    failed: list[dict[str, Any]] = []
    tensors, ready = [], []
    for row in rows:
        preprocess = partial(encoder.preprocess, row["image"])
        tensor = _attempt(failed, row["id"], row["data"], "preprocess", preprocess)
        if tensor is not None:
            tensors.append(tensor)
            ready.append(row)
    if not ready:
        return np.empty((0, 0), np.float32), [], failed
    vectors = encoder.encode_tensor(torch.stack(tensors))
    faults = [_fault(vector) for vector in vectors]
    for row, fault in zip(ready, faults, strict=True):
        if fault:
            failed.append(_rejected(row["id"], "embed", f"{name} gives {fault}", row["data"]))
    good = np.array([not fault for fault in faults])
    return vectors[good], [row for row, fault in zip(ready, faults, strict=True) if not fault], failed


def _fault(vector: np.ndarray) -> str:
    """Why a raw output cannot be compared with others; empty if it can."""
    if not np.isfinite(vector).all():
        return "NaN or infinity"
    if np.abs(vector).max() > np.finfo(np.float16).max:
        return "values beyond 65,504, more than 16-bit floats hold"
    return "" if vector.any() else "only zeros"


def _attempt(
    failed: list[dict[str, Any]], point: str, data: bytes | None, stage: str, work: Callable[[], Any]
) -> Any:
    """One bad row never costs its neighbours: whatever a codec throws becomes that row's reject."""
    try:
        return work()
    except ImageError as error:
        failed.append(_rejected(point, stage, str(error), data))
    except Exception as error:
        failed.append(_rejected(point, stage, f"{type(error).__name__}: {error}", data))
    return None


def _rejected(point: str, stage: str, reason: str, data: bytes | None) -> dict[str, Any]:
    return {"id": point, "stage": stage, "reason": reason[:500], "first_bytes": (data or b"")[:16].hex()}


def _part(rows: list, vectors: np.ndarray) -> pa.Table:
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
        ("id", pa.string()),
        ("rejected", pa.bool_()),
        ("actor", pa.string()),
        ("host", pa.string()),
        ("node", pa.string()),
        ("device", pa.string()),
        ("seconds", pa.float64()),
        ("staged_bytes", pa.float64()),
        ("peak_memory", pa.int64()),
    ]
)
