"""How near a GPU comes to its network alone, photographs included: python -m benchmarks.gpu

It needs no Ray and no Qdrant, only torch, torchvision, timm, transformers, Pillow, NumPy and PyArrow. It runs
what an actor of the embed stage runs: threads prepare JPEGs from memory, thumbnails included, while a batch
of them is at the GPU. The network has random weights, which take as long as trained ones. Without a GPU, and
with --short, everything is small; the figures then say only that it works.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image

from benchmarks.made_photographs import Kind, made
from benchmarks.report import machine, print_table, write_result
from pipeline.encoders import Encoder, load_encoder
from pipeline.encoders.gpu import GpuNetwork, half_precision
from pipeline.images import THUMBNAIL_SIDE, decode, shrunk, thumbnail
from pipeline.indexing.decode_and_embed import UNITS_AT_ONCE, EmbedThreads, Needed

NETWORK, SHORT_NETWORK = "vit_base_patch16_224", "test_vit"
SECONDS, SHORT_SECONDS = 20.0, 0.3  # of each measurement
SIZES = ((500, 375), (1600, 1200), (4000, 3000))
PICTURES = 32  # different ones of each size
LEAST_COSINE = 0.999  # of a picture's vector in 16-bit floats to that in 32 bits on the CPU
_GROUP, _SHORT_GROUP = 256, 4  # pictures that go to the GPU together


def main(arguments: list[str] | None = None) -> None:
    """Measure; write benchmarks/results/gpu.json, unless everything is small."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--network", help=f"a name of timm; {NETWORK} by default")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--train", action="store_true", help="also measure a training step")
    parser.add_argument("--short", action="store_true", help="a few seconds, to see that it works")
    options = parser.parse_args(arguments)
    short = options.short or not torch.cuda.is_available()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = options.network or (SHORT_NETWORK if short else NETWORK)
    seconds, group = (SHORT_SECONDS, _SHORT_GROUP) if short else (SECONDS, _GROUP)
    facts = machine() | {"gpu": torch.cuda.get_device_name() if device == "cuda" else None}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SIMILE_CACHE"] = f"{folder}/cache"  # of a network that nobody asks for again
        timm.models.save_for_hf(timm.create_model(name, num_classes=0), folder, safe_serialization=True)
        encoder, on_cpu = (load_encoder(folder, device=each, runtime="torch") for each in (device, "cpu"))
    result: dict[str, Any] = {"network": name, "batch": group, "threads": options.threads, "sizes": []}
    result["network_alone"] = round(network_alone(encoder, group, seconds), 1)
    for size in SIZES[: 1 if short else None]:
        files = made(Kind("", size), list(originals(2 if short else PICTURES)))
        result["sizes"].append(pipeline(encoder, files, size, group, options.threads, seconds))
    result["least_cosine"] = round(parity(encoder, on_cpu, files[:16]), 5)
    if options.train:
        result["training_step"] = round(training_step(encoder, group, seconds), 1)
    if device == "cuda":
        result["gpu_memory_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    report(result)
    if not short:
        print(write_result("gpu", result, facts))
    if result["least_cosine"] < LEAST_COSINE:
        raise SystemExit(
            f"error: cosine to the CPU's vectors {result['least_cosine']}; expected {LEAST_COSINE} or more"
        )


def originals(count: int) -> Iterator[bytes]:
    """Pictures with large and small shapes, as no data set is there."""
    import io

    chance = np.random.default_rng(0)
    for _ in range(count):
        cells = Image.fromarray(chance.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        file = io.BytesIO()
        cells.resize((320, 240), Image.Resampling.BICUBIC).save(file, "PNG")
        yield file.getvalue()


def rate(work: Callable[[], int], device: str, seconds: float) -> float:
    """Images per second of `work`, which says how many it did; after one call that warms up."""
    work()
    wait: Callable[[], None] = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        done += work()
    wait()
    return done / (time.perf_counter() - start)


def network_alone(encoder: Encoder, group: int, seconds: float) -> float:
    """Images per second of the network over pixels that are on the device already."""
    side = encoder.input_size
    pixels = torch.randint(0, 256, (group, 3, side, side), dtype=torch.uint8, device=encoder.device)
    pixels = encoder.normalised(pixels).contiguous(memory_format=torch.channels_last)

    def work() -> int:
        with torch.inference_mode(), half_precision(encoder.device):
            encoder.network(pixels)
        return group

    return rate(work, encoder.device, seconds)


def prepare(encoder: Encoder, data: bytes) -> np.ndarray:
    """What a thread does with a picture before the network."""
    image = decode(data, min_side=encoder.decode_side)
    small = shrunk(image, THUMBNAIL_SIDE)
    thumbnail(small)
    return encoder.preprocess(image, small)


def pipeline(
    encoder: Encoder, files: list[bytes], size: tuple[int, int], group: int, threads: int, seconds: float
) -> dict[str, Any]:
    """Images per second of preparing on one core, and of all threads from bytes to vectors."""
    endless = itertools.cycle(files)
    torch.set_num_threads(1)
    alone = rate(lambda: len([prepare(encoder, data) for data in files]), "cpu", seconds)
    rows: list[Needed] = [(str(number), 1, next(endless)) for number in range(group)]
    work = EmbedThreads({"network": encoder}, encoder.decode_side, threads)
    with ThreadPoolExecutor(UNITS_AT_ONCE) as callers:
        list(callers.map(work, [rows] * UNITS_AT_ONCE))
        start, done = time.perf_counter(), 0
        waiting = [callers.submit(work, rows) for _ in range(2 * UNITS_AT_ONCE)]
        while waiting:  # callers always have other pictures to take
            done += sum(len(each.outputs["network"].kept) for each in waiting.pop(0).result())
            if time.perf_counter() - start < seconds:
                waiting.append(callers.submit(work, rows))
        whole = done / (time.perf_counter() - start)
    return {
        "size": f"{size[0]} × {size[1]}",
        "kilobytes": round(sum(map(len, files)) / len(files) / 1000),
        "prepare_a_core": round(alone, 1),
        "pipeline": round(whole, 1),
    }


def parity(encoder: Encoder, on_cpu: Encoder, files: list[bytes]) -> float:
    """The least cosine of a picture's two vectors: by the path of GPUs in 16-bit floats, and by the CPU."""
    batch = np.stack([prepare(on_cpu, data) for data in files])
    gpu = GpuNetwork(encoder.network, encoder.normalised, encoder.device, _GROUP)
    halves = gpu(torch.from_numpy(batch))
    whole = on_cpu.encode_tensor(batch)
    norms = np.linalg.norm(halves, axis=1) * np.linalg.norm(whole, axis=1)
    return float(((halves * whole).sum(1) / norms).min())


def training_step(encoder: Encoder, group: int, seconds: float) -> float:
    """Images per second of forward, backward and an SGD step in 16-bit floats."""
    network = encoder.network.train().requires_grad_(True)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    side = encoder.input_size
    pixels = torch.rand(group, 3, side, side, device=encoder.device)

    def work() -> int:
        with half_precision(encoder.device):
            loss = network(pixels).float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return group

    return rate(work, encoder.device, seconds)


def report(result: dict[str, Any]) -> None:
    """One row a size of picture."""
    alone = result["network_alone"]
    rows = []
    for found in result["sizes"]:
        cores = alone / found["prepare_a_core"]
        share = found["pipeline"] / alone
        rows.append(
            [found["size"], found["prepare_a_core"], found["pipeline"], f"{share:.0%}", round(cores, 1)]
        )
    columns = ["pictures", "prepare, one core", "pipeline", "of the network", "cores it would need"]
    print_table(f"{result['network']}: {alone} images/s alone, {result['threads']} threads", columns, rows)
    others = {key: result[key] for key in ("least_cosine", "training_step", "gpu_memory_gb") if key in result}
    print(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in others.items()))


if __name__ == "__main__":
    main()
