"""What an index job would do: first rows and rejects, the speed on them, the disk. Nothing is written."""

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from pipeline.cluster.reservation import Reservation, reserve
from pipeline.config import CollectionConfig
from pipeline.encoders import Encoder, load_encoder
from pipeline.encoders.all_cores import pool_of
from pipeline.encoders.precomputed import is_precomputed
from pipeline.images import THUMBNAIL_SIDE
from pipeline.indexing.decode_and_embed import Needed, embed_group
from pipeline.indexing.preflight import Checked, IndexJob, bytes_a_row
from pipeline.progress import progress, say
from pipeline.sources import Source, Unread, decode_payload, image_bytes, read_rows, unread_rows
from pipeline.staging.parts import StagedPicture, places_of

__all__ = ["dry_run", "shards_for"]

SHOWN = 12  # rows, and rejects
_TRIED = 256  # rows at most
_SECONDS = 15.0  # spent on them at most
_ROWS_A_SHARD = 8_000_000  # with 512-bit codes and graphs some 2 GB of RAM, built in an hour or two
_BATCH = 16  # rows between two looks at the clock


@dataclass(frozen=True)
class _Row:
    """A row that would become a point; `bytes` of its file, sides in pixels."""

    place: str
    width: int
    height: int
    bytes: int
    payload: dict[str, Any]

    def __str__(self) -> str:
        payload = ", ".join(f"{key}={value}" for key, value in self.payload.items())
        size = f"{self.width} × {self.height}  {self.bytes / 1000:,.1f} kB"
        return f"  {self.place}  {size}  {payload}".rstrip()


@dataclass(frozen=True)
class _Reject:
    """A row that would not."""

    place: str
    stage: str
    reason: str

    def __str__(self) -> str:
        return f"  {self.place}  {self.stage}: {self.reason}"


@dataclass
class _Tried:
    """What became of the first rows; `seconds` for `measured` of them, the very first one left out."""

    rows: list[_Row] = field(default_factory=list)
    rejects: list[_Reject] = field(default_factory=list)
    measured: int = 0
    seconds: float = 0.0


def dry_run(job: IndexJob, checked: Checked) -> dict[str, Any]:
    """Take the first rows through decoding and the networks, show them, and extrapolate.

    Returns:
        rows of the source; seconds expected of the embed stage with the actors that would be reserved (None
        where no picture could be embedded); bytes of disk; the first rows and rejects.
    """
    source = checked.source
    rows = min(source.rows, job.limit or source.rows)
    reservation = reserve(job.actors, job.gpus_per_actor)
    say("loading " + ", ".join(checked.encoders))
    encoders = {name: load_encoder(name) for name in checked.encoders if not is_precomputed(name)}
    tried = _try_rows(source, encoders, reservation, min(_TRIED, rows))
    seconds = None
    if tried.measured:
        # Actors of one GPU are no faster than that GPU, which this process has for itself.
        share = min(1.0, reservation.actor_gpus) or 1.0
        at_once = max(1, round(reservation.actors * share))
        seconds = round(rows * tried.seconds / tried.measured / at_once, 3)
    disk_bytes = rows * sum(bytes_a_row(checked.encoders, job.config, checked.units))
    _show(tried, rows, seconds, disk_bytes)
    shards, replicas = shards_for(rows)
    if checked.store.parallel_writes:
        _say_shards(rows, shards, replicas, job.config)
    return {
        "collection": job.config.collection,
        "dry_run": True,
        "source": rows,
        "left_out": source.left_out,
        "seconds": seconds,
        "measured": tried.measured,
        "disk_bytes": disk_bytes,
        "shard_number": shards,
        "replication_factor": replicas,
        "actors": reservation.actors,
        "encoders": list(checked.encoders),
        "rows": [asdict(row) for row in _some(tried.rows)],
        "rejects": [asdict(reject) for reject in _some(tried.rejects)],
    }


def shards_for(rows: int) -> tuple[int, int]:
    """Shards and replicas that so many pictures should have on a server.

    >>> shards_for(500_000), shards_for(30_000_000)
    ((1, 1), (4, 2))
    """
    shards = max(1, math.ceil(rows / _ROWS_A_SHARD))
    return shards, 2 if shards > 1 else 1  # what needs several nodes should outlive one of them


def _say_shards(rows: int, shards: int, replicas: int, config: CollectionConfig) -> None:
    say(
        f"{rows:,} pictures: shard_number {shards}, replication_factor {replicas} (2 or more where a "
        f"node may die); the YAML has {config.shard_number} and {config.replication_factor}"
    )


def _try_rows(source: Source, encoders: dict[str, Encoder], reservation: Reservation, most: int) -> _Tried:
    tried = _Tried()
    # As in the job, each thread takes a picture from its bytes to its vector. All threads of a GPU are here,
    # also if the job has several actors for it.
    threads = round(reservation.threads / (min(1.0, reservation.actor_gpus) or 1.0))
    with pool_of(threads) as pool, progress("try", most, "row") as bar:
        began = time.perf_counter()
        for batch in _batches(source, most):
            _try_batch(tried, batch, encoders, pool, threads)
            bar.update(len(batch))
            if time.perf_counter() - began > _SECONDS:
                break
    return tried


_Given = tuple[str, bytes | None, dict[str, Any], Unread | None]  # place, bytes, payload, why no bytes


def _batches(source: Source, most: int) -> Iterator[list[_Given]]:
    rows: Any = read_rows(source, limit=most)
    for table in rows.iter_batches(batch_size=_BATCH, batch_format="pyarrow"):
        given = places_of(table), image_bytes(table), decode_payload(source, table), unread_rows(table)
        yield list(zip(*given, strict=True))


def _try_batch(
    tried: _Tried,
    batch: list[_Given],
    encoders: dict[str, Encoder],
    pool: ThreadPoolExecutor,
    threads: int,
) -> None:
    """Embed a batch as an actor does, and enter what became of each row."""
    every = (1 << len(encoders)) - 1
    given: list[Needed] = [(place, every, data) for place, data, *_ in batch if data is not None]
    side = max([THUMBNAIL_SIDE, *(encoder.decode_side for encoder in encoders.values())])
    embed = partial(embed_group, encoders, side)
    if not tried.measured:
        embed(given[:1])  # the first call is slower: it allocates memory
    began = time.perf_counter()
    step = max(1, math.ceil(len(given) / threads))
    groups = list(pool.map(embed, [given[i : i + step] for i in range(0, len(given), step)]))
    seconds = time.perf_counter() - began
    rejected = {
        place: _Reject(place, "plan", unread.reason) for place, _, _, unread in batch if unread is not None
    }
    kept: dict[str, StagedPicture] = {}
    for group in groups:
        failed = [*group.broken, *(reject for output in group.outputs.values() for reject in output.failed)]
        rejected |= {str(r.id): _Reject(str(r.id), r.stage, r.reason) for r in failed}
        kept |= {picture.id: picture for picture in group.decoded}
    for place, data, payload, _ in batch:
        if place in rejected:
            tried.rejects.append(rejected[place])
        elif place in kept:
            picture = kept[place]
            tried.rows.append(_Row(place, picture.width, picture.height, len(data or b""), payload))
    if kept:
        tried.measured += len(given)
        tried.seconds += seconds


def _some(found: Sequence[Any]) -> Sequence[Any]:
    """At most `SHOWN` of them, from beginning to end: the first ones often have one label."""
    return found[:: max(1, math.ceil(len(found) / SHOWN))]


def _show(tried: _Tried, rows: int, seconds: float | None, disk_bytes: int) -> None:
    looked = len(tried.rows) + len(tried.rejects)
    for what, found in (("rows", tried.rows), ("rejects", tried.rejects)):
        if found:
            more = ", such as" if len(found) > SHOWN else ""
            say(f"{len(found):,} {what} among the first {looked:,}{more}:")
            for each in _some(found):
                say(str(each))
    time_needed = "unknown time, as no picture could be embedded" if seconds is None else f"{seconds:,.0f} s"
    say(f"{rows:,} rows: {time_needed}, {disk_bytes / 1e6:,.1f} MB of disk; nothing was written")
