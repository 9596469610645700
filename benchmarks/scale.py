"""What an index job costs beside networks and graphs: python -m benchmarks.scale [--rows 200000 …]

Real Parquet of 32 × 32 PNG, a network that costs next to nothing, thumbnails of some 200 bytes, no graph. For
each size: the driver's peak memory, its own and that of mapped files apart; seconds a million rows of each
stage, by the clock and of the driver's processor time; parts; a run with nothing new, and one with a new
shard of 1 %.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from hashlib import shake_128
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.report import machine, print_table, write_result
from benchmarks.resources import Resident, resident_of
from pipeline.locks.lock import job_records

__all__ = ["main", "measure", "png", "write_encoder", "write_shard"]

ROOT = Path(__file__).resolve().parent.parent
SIDE, BLOCK = 32, 8  # pixels: of a picture, and of the squares of one colour in it
SHARD_ROWS, GROUP_ROWS = 20_000, 1_000
WIDTH = 32  # components of an embedding
STAGES = ("plan", "embed", "catalogue", "fit", "load", "check")
SERIAL = ("plan", "catalogue", "load")  # what a driver does for each row, whatever the network
_LOOKED_EVERY = 0.1  # seconds, at the memory of a driver


def png(number: int) -> bytes:
    """A picture of 16 coloured squares that no other number has; some 200 bytes."""
    squares = SIDE // BLOCK
    drawn = shake_128(number.to_bytes(8, "big")).digest(3 * squares**2)  # ten times as fast as a generator
    colours = np.frombuffer(drawn, np.uint8).reshape(squares, squares, 3)
    pixels = colours.repeat(BLOCK, 0).repeat(BLOCK, 1).reshape(SIDE, SIDE * 3)
    raw = np.hstack([np.zeros((SIDE, 1), np.uint8), pixels]).tobytes()
    out = io.BytesIO()
    out.write(b"\x89PNG\r\n\x1a\n")
    header = pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 1)), (b"IEND", b"")):
        out.write(pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data)))
    return out.getvalue()


def write_shard(path: Path, first: int, rows: int) -> None:
    """A Parquet file of so many pictures, from the number `first` on."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = [{"bytes": png(number), "path": None} for number in range(first, first + rows)]
    labels = [f"label {number % 100}" for number in range(first, first + rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"image": pa.array(images, kind), "label": labels})
    pq.write_table(table, path, row_group_size=GROUP_ROWS)


def write_encoder(folder: Path) -> Path:
    """A ViT of one layer and 32 components, with random weights: what is left when a network is free."""
    import torch
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=WIDTH,
        image_size=SIDE,
        patch_size=SIDE,
    )
    ViTModel(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def measure(rows: int, work: Path) -> dict[str, Any]:
    """The three runs of one size.

    Args:
        rows: at least 100.
        work: an empty folder.
    """
    source, home = work / "source", work / "home"
    shards = max(1, -(-rows // SHARD_ROWS))
    for shard in range(shards):
        first = shard * SHARD_ROWS
        write_shard(_shard(source, shard), first, min(SHARD_ROWS, rows - first))
    config = _configuration(work, source, write_encoder(work / "encoder"))
    first_run = _job(config, home)
    parts = len(list(home.glob("staging/*/parts/*.parquet")))
    again = _job(config, home)
    more = max(1, rows // 100)
    write_shard(_shard(source, shards), rows, more)
    added = _job(config, home)
    assert (first_run["written"], again["written"], added["written"]) == (rows, 0, more)
    assert (again["embedded"], added["embedded"]) == (0, more)
    millions, stages = rows / 1e6, first_run["stages"]
    peaks = first_run["memory"]
    seconds, processor = (
        {stage: round(stages[stage][kind] / millions, 1) for stage in STAGES}
        for kind in ("seconds", "processor")
    )
    return {
        "rows": rows,
        "driver_own_mb": _mb(max(peak.own for peak in peaks.values())),
        "driver_mapped_mb": _mb(max(peak.mapped for peak in peaks.values())),
        "driver_by_stage_mb": _by_stage(first_run),
        "actor_mb": _mb(first_run["peak_memory"]["actor"]),
        "seconds_a_million": seconds,
        "processor_a_million": processor,
        "serial_a_million": round(sum(seconds[stage] for stage in SERIAL), 1),
        "beside_the_stages": round(first_run["wall"] - first_run["seconds"], 1),
        "rows_a_part": round(rows / parts),
        "nothing_new_seconds": again["wall"],
        "one_percent_seconds": added["wall"],
        "one_percent_by_stage_mb": _by_stage(added),
        "one_percent_stages": {stage: facts["seconds"] for stage, facts in added["stages"].items()},
    }


def _shard(source: Path, number: int) -> Path:
    return source / "data" / f"train-{number:05d}-of-99999.parquet"


def _configuration(work: Path, source: Path, encoder: Path) -> Path:
    path = work / "scale.yaml"
    settings = {
        "collection": "scale",
        "source": str(source),
        "encoders": [{"name": str(encoder), "vector": "v"}],
        "projection": {"dimension": WIDTH},
        "hnsw": {"full_scan_kb": 10**9, "codes_from": 10**9},
    }
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def _by_stage(account: dict[str, Any]) -> dict[str, list[int]]:
    """Stage -> MB of the driver at most: its own, and mapped files."""
    peaks: dict[str, Resident] = account["memory"]
    return {stage: [_mb(peak.own), _mb(peak.mapped)] for stage, peak in peaks.items()}


def _mb(size: int) -> int:
    return round(size / 1e6)


def _job(config: Path, home: Path) -> dict[str, Any]:
    """The account of a job in a process of its own; the seconds of all of it as `wall`; and by stage, as far
    as the job's record tells, the peak of its driver as `memory`.
    """
    began, peaks = time.perf_counter(), dict[str, Resident]()
    command = [sys.executable, "-m", "ray_jobs.index", str(config), "--home", str(home)]
    said, told = config.with_suffix(".said"), config.with_suffix(".told")
    with said.open("w") as errors, told.open("w") as output:
        run = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=errors)
        while run.poll() is None:
            stage = _stage(home)
            peaks[stage] = resident_of(run.pid).at_most(peaks.get(stage, Resident()))
            time.sleep(_LOOKED_EVERY)
    if run.returncode:
        raise SystemExit(said.read_text(encoding="utf-8")[-3000:])
    account: dict[str, Any] = json.loads(told.read_text(encoding="utf-8").splitlines()[-1])
    return account | {"wall": round(time.perf_counter() - began, 1), "memory": peaks}


def _stage(home: Path) -> str:
    """Where a job says that it is; it says so every two seconds."""
    records = job_records(str(home))
    return records["scale"].stage if "scale" in records else "start"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each size; write benchmarks/results/scale.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 1_000_000])
    options = parser.parse_args(arguments)
    facts, sizes = machine(), []
    for rows in options.rows:
        with tempfile.TemporaryDirectory(prefix="simile-scale-") as work:
            sizes.append(measure(rows, Path(work)))
        print_scale(sizes[-1])
        path = write_result("scale", {"sizes": sizes}, facts)  # after each: a run that is cut short keeps it
    print(path)


def print_scale(size: dict[str, Any]) -> None:
    """A table of one size."""
    seconds, processor = size["seconds_a_million"], size["processor_a_million"]
    rows = [
        ["driver at most, its own memory", f"{size['driver_own_mb']:,} MB"],
        ["driver at most, mapped files", f"{size['driver_mapped_mb']:,} MB"],
        *(
            [f"  in {name}", f"{own:,} and {mapped:,} MB"]
            for name, (own, mapped) in size["driver_by_stage_mb"].items()
        ),
        ["actor at most", f"{size['actor_mb']:,} MB"],
        *(
            [
                f"{stage}, a million rows",
                f"{seconds[stage]:,.1f} s, driver's processor {processor[stage]:,.1f} s",
            ]
            for stage in STAGES
        ),
        [f"{' + '.join(SERIAL)}, a million rows", f"{size['serial_a_million']:,.1f} s"],
        ["start, listing and end, in all", f"{size['beside_the_stages']:,.1f} s"],
        ["rows a part", f"{size['rows_a_part']:,}"],
        ["nothing new", f"{size['nothing_new_seconds']:,.1f} s"],
        ["a new shard of 1 %", f"{size['one_percent_seconds']:,.1f} s"],
        *(
            [f"  in {name}, own memory", f"{own:,} MB"]
            for name, (own, _) in size["one_percent_by_stage_mb"].items()
        ),
    ]
    print_table(f"{size['rows']:,} rows", ["", ""], rows)


if __name__ == "__main__":
    main()
