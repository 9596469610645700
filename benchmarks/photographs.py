"""Where the milliseconds of a real photograph go: python -m benchmarks.photographs [--short]

Files as cameras make them, for each size and format: the network alone; what decoding, one resize, a JPEG
thumbnail and the network take by the fastest library for each (the limit of this machine); Simile's own
steps, each alone on all cores; its threads from bytes to vectors; for JPEGs a whole index job; and for the
smallest and the largest JPEGs other programs.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from benchmarks import limit_of_the_machine as limit
from benchmarks.baselines import PROGRAMS, run_program
from benchmarks.embed import pictures
from benchmarks.made_photographs import KINDS, Kind, made, written
from benchmarks.report import RESULTS, machine, print_table, write_result

if TYPE_CHECKING:
    from pipeline.encoders import Encoder

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "samples" / "wikiart"
ENCODER = "pypi:efficientnet-lite0"
PIXELS = 224  # input side of the other programs
PICTURES = 16  # different ones of each kind: 45 MB at 4000 × 3000
STEP_SECONDS = 2.0
JOBS = 3  # of each kind; the median counts
JOB_SECONDS = 65  # that a job should work, as the limit of the machine promises
MOST_BYTES = 13e9  # of the pictures of a job


def main(arguments: list[str] | None = None) -> None:
    """Measure every kind; write benchmarks/results/photographs.json, unless it is the short form."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photographs", description=__doc__)
    parser.add_argument("--source", type=Path, default=SOURCE, help="a data set of pictures to enlarge")
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument(
        "--kinds",
        nargs="*",
        help="measure only kinds that begin with these words, such as 'JPEG 500'; the others keep their "
        "figures",
    )
    parser.add_argument("--no-others", action="store_true", help="leave out the other programs")
    parser.add_argument("--no-job", action="store_true", help="leave out the index jobs, which take minutes")
    parser.add_argument("--short", action="store_true", help="a few seconds, to see that it works")
    options = parser.parse_args(arguments)
    kinds = [kind for kind in KINDS if kind.name.startswith(tuple(options.kinds or [""]))]
    count, seconds = PICTURES, STEP_SECONDS
    if options.short:
        kinds, count, seconds = kinds[:1], 2, 0.05
    facts, results = machine(), []
    encoder = _encoder(options.encoder, accelerated=not options.short)
    originals = pictures(options.source, count)
    for kind in kinds:
        about = {"encoder": options.encoder} | {key: machine()[key] for key in ("commit", "at", "load")}
        has_jobs = kind.format == "JPEG" and not kind.options and not (options.short or options.no_job)
        results.append(
            measure(kind, made(kind, originals), encoder, seconds, JOBS if has_jobs else 0) | about
        )
        if kind in (KINDS[0], KINDS[2]) and not (options.short or options.no_others):
            results[-1]["others"] = others(made(kind, originals))
        report(results[-1])
    if not options.short:
        print(write_result("photographs", {"kinds": _beside_earlier(results)}, facts))


def _beside_earlier(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the figures of kinds that were measured in an earlier run, in the order of `KINDS`."""
    file = RESULTS / "photographs.json"
    earlier = json.loads(file.read_text(encoding="utf-8"))["kinds"] if file.is_file() else []
    found = {each["kind"]: each for each in [*earlier, *results]}
    return [found[kind.name] for kind in KINDS if kind.name in found]


def _encoder(name: str, accelerated: bool) -> Encoder:
    from pipeline.encoders import load_encoder

    encoder = load_encoder(name, device="cpu")
    if accelerated:
        encoder.accelerate(10**9)  # as a long job does
    return encoder


def measure(
    kind: Kind, files: list[bytes], encoder: Encoder, seconds: float, jobs: int = 0
) -> dict[str, Any]:
    """The figures of one kind.

    The steps are timed before, between and after the jobs, because the speed of a machine changes: their
    means over these times count, and the median of the jobs.
    """
    ran = list[dict[str, Any]]()
    with tempfile.TemporaryDirectory(prefix="simile-bench-") as work:
        (parquet,) = written(files, Path(work), 1).rglob("*.parquet")
        timed = [limit.milliseconds(steps(kind, files, encoder, parquet), seconds)]
        for _ in range(jobs):
            ran.append(job(kind, files, encoder.name, figures(kind, files, encoder, timed[0])["limit"]))
            timed.append(limit.milliseconds(steps(kind, files, encoder, parquet), seconds))
    found = figures(kind, files, encoder, {name: fmean(each[name] for each in timed) for name in timed[0]})
    if ran:
        found |= sorted(ran, key=lambda each: each["whole_job"])[len(ran) // 2]
        found["limits"] = [figures(kind, files, encoder, each)["limit"] for each in timed]
        found["whole_jobs"] = [each["whole_job"] for each in ran]
        found["embed_stages"] = [each["embed_stage"] for each in ran]
    return found


def figures(kind: Kind, files: list[bytes], encoder: Encoder, found: Mapping[str, float]) -> dict[str, Any]:
    """Milliseconds of one core for each step, and images per second of what they make together."""
    from pipeline.encoders.all_cores import GROUP

    cores = os.cpu_count() or 1
    libraries = {what: _of(found, f"{what}: ") for what in ("decode", "resize")}
    least = sum(min(each.values()) for each in libraries.values()) + found["saved"] + found["network"]
    read = found["read"] / len(files)
    return {
        "kind": kind.name,
        "kilobytes": round(sum(map(len, files)) / len(files) / 1000),
        "runtime": encoder.runtime,
        "network_alone": round(1000 * cores / found["network"], 1),
        "limit": round(1000 * cores / least, 1),
        "limit_with_reading": round(1000 * cores / (least + read), 1),
        "limit_ms": {what: _rounded(each) for what, each in libraries.items()}
        | {"thumbnail": round(found["saved"], 2), "network": round(found["network"], 2)}
        | {"read and hash": round(read, 2)},
        "own_ms": _rounded(_of(found, "own ") | {"network": found["network"]}),
        "in_one_process": round(1000 * cores * GROUP / found["groups"], 1),
    }


def steps(kind: Kind, files: list[bytes], encoder: Encoder, parquet: Path) -> dict[str, limit.Step]:
    """The libraries' steps, Simile's own ones, and the embed stage's loop without Ray and storage.

    Args:
        parquet: the same files as a data set.
    """
    from pipeline.encoders.all_cores import GROUP
    from pipeline.images import THUMBNAIL_SIDE, decode, is_single_colour, shrunk, thumbnail
    from pipeline.images.palette import colour_histogram
    from pipeline.indexing.decode_and_embed import embed_group

    decoders, side = limit.decoders(kind.format), encoder.decode_side
    by_pillow = [decoders["Pillow"](data) for data in files]
    decoded = [decode(data, min_side=side) for data in files]
    small = [shrunk(image, THUMBNAIL_SIDE) for image in decoded]
    both = list(zip(decoded, small, strict=True))
    group = [(str(number), 1, files[number % len(files)]) for number in range(GROUP)]
    embed = partial(embed_group, {encoder.name: encoder}, side)
    return {
        "network": limit.Step(encoder.encode_tensor, [encoder.preprocess(*pair)[None] for pair in both]),
        **{f"decode: {name}": limit.Step(work, files) for name, work in decoders.items()},
        **{f"resize: {name}": limit.Step(work, by_pillow) for name, work in limit.resizers().items()},
        "saved": limit.Step(limit.saved_as_jpeg, small),
        "read": limit.Step(limit.read_and_hashed, [parquet]),
        "groups": limit.Step(embed, [group]),
        "own decode": limit.Step(partial(decode, min_side=side), files),
        "own one colour?": limit.Step(is_single_colour, decoded),
        "own resize": limit.Step(partial(shrunk, side=THUMBNAIL_SIDE), decoded),
        "own thumbnail": limit.Step(thumbnail, small),
        "own colours": limit.Step(colour_histogram, small),
        "own preprocess": limit.Step(lambda pair: encoder.preprocess(*pair), both),
    }


def _of(found: Mapping[str, float], prefix: str) -> dict[str, float]:
    return {name.removeprefix(prefix): spent for name, spent in found.items() if name.startswith(prefix)}


def job(kind: Kind, files: list[bytes], encoder: str, promised: float) -> dict[str, Any]:
    """Images per second of an index job over so many pictures that it works for `JOB_SECONDS`."""
    size = sum(map(len, files))
    times = max(1, math.ceil(min(JOB_SECONDS * promised / len(files), MOST_BYTES / size)))
    with tempfile.TemporaryDirectory(prefix="simile-bench-") as work:
        folder = written(files, Path(work) / "photographs", times)
        config = Path(work) / "photographs.yaml"
        config.write_text(
            f"collection: photographs\nsource: {folder}\nencoders: [{{name: '{encoder}', vector: v}}]\n",
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "ray_jobs.index", str(config), "--home", f"{work}/home"]
        run = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(run.stdout.strip().splitlines()[-1])
    stages = {name: stage["seconds"] for name, stage in found["stages"].items()}
    start_up = {name: stage["start_up"] for name, stage in found["stages"].items()}
    working = sum(stages.values()) - stages["reserve"] - sum(start_up.values())
    return {
        "images": found["embedded"],
        "embed_stage": round(found["embedded"] / (stages["embed"] - start_up["embed"]), 1),
        "whole_job": round(found["written"] / working, 1),
        "job_seconds": round(working, 1),
        "stages": stages,
    }


def others(files: list[bytes]) -> dict[str, float]:
    """Images per second of other programs with the same network, on the same pictures."""
    with tempfile.TemporaryDirectory(prefix="simile-bench-") as work:
        folder = Path(work) / "files"
        folder.mkdir()
        for number, data in enumerate(files):
            (folder / f"{number:03}.jpg").write_bytes(data)
        found = {name: run_program(name, folder, Path(work) / name[:5], PIXELS) for name in PROGRAMS}
    return {name: round(each["images"] / each["seconds"], 1) for name, each in found.items()}


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def report(found: dict[str, Any]) -> None:
    """Two tables a kind: rates, and where the milliseconds go."""
    most = found["limit"]
    rows = [["network alone", found["network_alone"], f"{found['network_alone'] / most:.0%}"]]
    rows.append(["limit: decode, resize, thumbnail, network", most, "100 %"])
    whole = found["limit_with_reading"]
    rows.append(["the same with reading and hashing", whole, f"{whole / most:.0%}"])
    for name in ("in_one_process", "embed_stage", "whole_job"):
        if name in found:
            rows.append([name.replace("_", " "), found[name], f"{found[name] / most:.0%}"])
    rows += [[name, rate, f"{rate / most:.0%}"] for name, rate in found.get("others", {}).items()]
    print_table(f"{found['kind']}, {found['kilobytes']} kB", ["", "images/s", "of the limit"], rows)
    least = found["limit_ms"]
    own = [["read and hash", "", least["read and hash"]]]
    own += [
        [
            step,
            spent,
            ", ".join(f"{name} {ms}" for name, ms in sorted(least[step].items(), key=lambda pair: pair[1]))
            if step in ("decode", "resize")
            else least.get(step, ""),
        ]
        for step, spent in found["own_ms"].items()
    ]
    print_table("Milliseconds of one core", ["step", "Simile", "limit"], own)


if __name__ == "__main__":
    main()
