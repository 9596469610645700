"""Stage 2, embed: rows that are not staged yet -> actors with the networks -> staged vectors."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.errors import ImageError
from pipeline.images import THUMBNAIL_SIDE, decode, header_size, thumbnail
from pipeline.indexing.plan import Plan
from pipeline.indexing.progress import progress
from pipeline.indexing.resources import Reservation
from pipeline.indexing.staging import Staging
from pipeline.sources import Source, image_bytes, read_rows

__all__ = ["EmbedResult", "Reject", "embed_missing"]

BATCH = 128  # rows staged at once; what a killed actor loses at most


@dataclass(frozen=True)
class Reject:
    """A row that did not become a point."""

    id: str | None
    place: str  # file:row in the source
    stage: str
    reason: str
    first_bytes: str = ""  # hexadecimal


@dataclass
class EmbedResult:
    """What the embed stage did."""

    embedded: int = 0  # rows that every encoder missing them has staged
    rejects: list[Reject] = field(default_factory=list)
    actors: dict[str, dict[str, Any]] = field(default_factory=dict)  # actor -> host, device, rows, seconds


def embed_missing(
    plan: Plan, source: Source, stagings: dict[str, Staging], reservation: Reservation, limit: int | None
) -> EmbedResult:
    """Embed every unique row that some encoder has not staged.

    Args:
        plan: from stage 1.
        source: what the plan was made of.
        stagings: encoder name -> where its vectors are staged.
        reservation: actors and what each reserves.
        limit: the same limit as the plan's.
    """
    import ray
    from ray.data import ActorPoolStrategy

    result = EmbedResult()
    missing = _missing(plan, stagings)
    if not missing.num_rows:
        return result
    places = dict(zip(missing["id"].to_pylist(), _places(missing), strict=True))
    rows: Any = read_rows(source, limit=limit, columns=(), num_cpus=reservation.read_cpus)
    wanted = rows.map_batches(
        _keep_missing,
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"missing": ray.put(missing.select(["row_key", "id", "needs"]))},
        num_cpus=reservation.read_cpus,
    )
    acknowledged = wanted.map_batches(
        Embedder,
        fn_constructor_args=(stagings, reservation.threads),
        batch_size=BATCH,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=reservation.actors),
        num_cpus=reservation.actor_cpus,
        num_gpus=reservation.actor_gpus or None,
    )
    with progress("embed", missing.num_rows) as bar:
        for batch in acknowledged.iter_batches(batch_size=None, batch_format="pyarrow"):
            _collect(batch.to_pylist(), places, result)
            bar.update(batch.num_rows)
    return result


def _missing(plan: Plan, stagings: dict[str, Staging]) -> pa.Table:
    """Unique rows with `needs`: bit i is set when encoder i has not staged them; sorted by row_key."""
    table = plan.unique
    needs = np.zeros(table.num_rows, np.int64)
    ids = table["id"].to_pylist()
    for bit, staging in enumerate(stagings.values()):
        staged = staging.ids()
        needs |= np.array([point not in staged for point in ids], np.int64) << bit
    table = table.append_column("needs", pa.array(needs))
    return table.filter(pa.array(needs > 0)).sort_by("row_key")


def _places(table: pa.Table) -> list[str]:
    return [
        f"{file}:{row}" for file, row in zip(table["file"].to_pylist(), table["row"].to_pylist(), strict=True)
    ]


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


class Embedder:
    """An actor: holds the networks, turns batches of rows into staged parts, answers with an account."""

    def __init__(self, stagings: dict[str, Staging], threads: int) -> None:
        import ray
        import torch

        from pipeline.encoders import load_encoder

        torch.set_num_threads(threads)
        self.encoders = {name: load_encoder(name) for name in stagings}
        self.stagings = stagings
        self.decode_side = max(THUMBNAIL_SIDE, *(encoder.decode_side for encoder in self.encoders.values()))
        self.actor = ray.get_runtime_context().get_actor_id() or "local"
        self.host = socket.gethostname()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """(image, id, needs) -> one acknowledgement a row, after its vectors are on storage."""
        start = time.perf_counter()
        answers: dict[str, dict[str, Any]] = {}
        rows = []
        for point, needs, data in zip(
            batch["id"].to_pylist(), batch["needs"].to_pylist(), image_bytes(batch), strict=True
        ):
            row = self._attempt(answers, point, data, "decode", partial(self._decode, data))
            if row is not None:
                rows.append((point, needs, data, row))
        for bit, (name, encoder) in enumerate(self.encoders.items()):
            self._stage(name, encoder, [row for row in rows if row[1] >> bit & 1], answers)
        seconds = (time.perf_counter() - start) / max(1, batch.num_rows)
        device = next(iter(self.encoders.values())).device
        done = [
            {"id": point, "needs": needs, "stage": "", "reason": "", "first_bytes": ""}
            | answers.get(point, {})
            for point, needs in zip(batch["id"].to_pylist(), batch["needs"].to_pylist(), strict=True)
        ]
        where = {"actor": self.actor, "host": self.host, "device": str(device), "seconds": seconds}
        return pa.Table.from_pylist([answer | where for answer in done], schema=_ACKNOWLEDGEMENT)

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

    def _stage(self, name: str, encoder: Any, rows: list, answers: dict) -> None:
        ready = []
        for point, _, data, row in rows:
            tensor = self._attempt(
                answers, point, data, "preprocess", partial(encoder.preprocess, row["image"])
            )
            if tensor is not None:
                ready.append((point, data, row, tensor))
        if not ready:
            return
        import torch

        vectors = encoder.encode_tensor(torch.stack([tensor for *_, tensor in ready]))
        good = np.isfinite(vectors).all(axis=1)
        for (point, data, *_), finite in zip(ready, good, strict=True):
            if not finite:
                answers[point] = _rejected("embed", f"{name} gives NaN or infinity", data)
        kept = [row for row, finite in zip(ready, good, strict=True) if finite]
        if kept:
            self.stagings[name].write(_part(kept, vectors[good]))

    @staticmethod
    def _attempt(answers: dict, point: str, data: bytes | None, stage: str, work: Callable[[], Any]) -> Any:
        """One bad row never costs its neighbours: whatever a codec throws becomes that row's reject."""
        try:
            return work()
        except ImageError as error:
            answers[point] = _rejected(stage, str(error), data)
        except Exception as error:
            answers[point] = _rejected(stage, f"{type(error).__name__}: {error}", data)
        return None


def _rejected(stage: str, reason: str, data: bytes | None) -> dict[str, Any]:
    return {"stage": stage, "reason": reason[:500], "first_bytes": (data or b"")[:16].hex()}


def _part(rows: list, vectors: np.ndarray) -> pa.Table:
    half = vectors.astype(np.float16)
    return pa.table(
        {
            "id": pa.array([point for point, *_ in rows], pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(half.reshape(-1)), half.shape[1]),
            "thumbnail": pa.array([row["thumbnail"] for _, _, row, _ in rows], pa.binary()),
            "thumbnail_type": pa.array([row["thumbnail_type"] for _, _, row, _ in rows], pa.string()),
            "width": pa.array([row["width"] for _, _, row, _ in rows], pa.int32()),
            "height": pa.array([row["height"] for _, _, row, _ in rows], pa.int32()),
        }
    )


_ACKNOWLEDGEMENT = pa.schema(
    [
        ("id", pa.string()),
        ("needs", pa.int64()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("first_bytes", pa.string()),
        ("actor", pa.string()),
        ("host", pa.string()),
        ("device", pa.string()),
        ("seconds", pa.float64()),
    ]
)


def _collect(rows: list[dict[str, Any]], places: dict[str, str], result: EmbedResult) -> None:
    for row in rows:
        actor = result.actors.setdefault(
            row["actor"], {"host": row["host"], "device": row["device"], "rows": 0, "seconds": 0.0}
        )
        actor["rows"] += 1
        actor["seconds"] += row["seconds"]
        if row["stage"]:
            reject = Reject(row["id"], places[row["id"]], row["stage"], row["reason"], row["first_bytes"])
            result.rejects.append(reject)
        else:
            result.embedded += 1
