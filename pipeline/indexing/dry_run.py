"""What an index job would take: rows, time and disk, from a few rows measured on this machine."""

import time
from typing import Any

from PIL import Image

from pipeline.encoders import load_encoder
from pipeline.errors import ImageError
from pipeline.images import decode
from pipeline.indexing.preflight import Checked, IndexJob, bytes_a_row
from pipeline.indexing.resources import reserve
from pipeline.sources import image_bytes, read_rows

__all__ = ["dry_run"]

_MEASURED_ROWS = 32


def dry_run(job: IndexJob, checked: Checked) -> dict[str, Any]:
    """Embed a few rows here, write nothing, and extrapolate.

    Returns:
        rows; seconds expected of the embed stage with the actors that would be reserved; bytes of disk.
    """
    source, descriptions = checked.source, checked.encoders
    reservation = reserve(job.actors, job.gpus_per_actor)
    rows = min(source.rows, job.limit or source.rows)
    pictures = _few_pictures(job, source)
    rate = 0.0
    for name in descriptions:
        encoder = load_encoder(name)
        encoder.encode(pictures[:4])  # the first call pays for allocation
        start = time.perf_counter()
        encoder.encode(pictures)
        rate += (time.perf_counter() - start) / max(1, len(pictures))
    return {
        "collection": job.config.collection,
        "dry_run": True,
        "source": rows,
        "seconds": round(rows * rate / max(1, reservation.actors if reservation.actor_gpus else 1), 3),
        "disk_bytes": rows * sum(bytes_a_row(descriptions, job.config)),
        "actors": reservation.actors,
        "encoders": list(descriptions),
    }


def _few_pictures(job: IndexJob, source: Any) -> list[Image.Image]:
    pictures = []
    for batch in read_rows(source, limit=min(_MEASURED_ROWS, source.rows), columns=()).iter_batches(
        batch_size=None, batch_format="pyarrow"
    ):
        for data in image_bytes(batch):
            try:
                pictures.append(decode(data or b""))
            except ImageError:
                continue
    return pictures or [Image.new("RGB", (64, 64), "grey")]
