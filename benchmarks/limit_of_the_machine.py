"""What a picture must cost on this machine, whoever writes the program: each step by the fastest library.

A picture is decoded, by JPEGs' own scaling where that is faster, made small once, and saved as a JPEG
thumbnail; the network comes on top. What it takes to read a picture from parquet and to hash it is told
apart. simplejpeg and OpenCV count where they are installed; Simile needs neither.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import itertools
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from pipeline.images.thumbnails import file_in_memory

__all__ = [
    "Step",
    "core_and_lock_milliseconds",
    "decoders",
    "milliseconds",
    "read_and_hashed",
    "resizers",
    "saved_as_jpeg",
]

SIDE = 256  # pixels, short side of the small picture
_QUALITY = 80
ROUNDS = 5
_BUFFER_BYTES, _AT_ONCE = 4 * 2**20, 16  # of a parquet file


@dataclass(frozen=True)
class Step:
    """What is timed: `work` of each of `inputs`. It has to let go of Python's lock, as these libraries do."""

    work: Callable[[Any], Any]
    inputs: Sequence[Any]


def milliseconds(steps: Mapping[str, Step], at_least: float) -> dict[str, float]:
    """Of one core for each input, while all cores are at work: the median of `ROUNDS` rounds.

    The steps take turns, because the speed of a machine changes from minute to minute.

    Args:
        at_least: seconds of each step, all rounds together; a pass over the inputs comes before.
    """
    cores = os.cpu_count() or 1
    rates: dict[str, list[float]] = {name: [] for name in steps}
    with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for step in steps.values():
            list(pool.map(step.work, step.inputs))
        for _, (name, step) in itertools.product(range(ROUNDS), steps.items()):
            end = time.perf_counter() + at_least / ROUNDS
            passes = pool.map(partial(_own_time, step, end), range(cores))
            # By each thread's own time, so that a thread which ends before the other does not count as idle.
            rates[name].append(sum(count / clock for count, _, clock in passes))
    return {name: 1000 * cores / median(found) for name, found in rates.items()}


def core_and_lock_milliseconds(step: Step, at_least: float) -> tuple[float, float]:
    """Milliseconds of a core for an input, and an estimate of how many of them Python's lock is held.

    Two threads work, and wait for nothing but the lock: they wait for the time by the clock less that of the
    processor. If each holds the lock for s of its T ms, each waits for s² / T (mean value analysis of a
    closed queue; Reiser and Lavenberg, 1980). So s follows from T and the wait.

    Args:
        at_least: seconds; the machine must have two idle cores.
    """
    with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(step.work, step.inputs))
        found = list(pool.map(partial(_own_time, step, time.perf_counter() + at_least), range(2)))
    done = sum(count for count, _, _ in found)
    working, whole = (1000 * sum(each[at] for each in found) / done for at in (1, 2))
    return working, math.sqrt(max(0.0, whole - working) * working)


def _own_time(step: Step, end: float, first: int) -> tuple[int, float, float]:
    """How many inputs were done, seconds of the processor and of the clock."""
    clock, processor = time.perf_counter(), time.thread_time()
    done = _pass(step, end, first)
    return done, time.thread_time() - processor, time.perf_counter() - clock


def _pass(step: Step, end: float, first: int) -> int:
    for done, at in enumerate(itertools.count(first), 1):
        step.work(step.inputs[at % len(step.inputs)])
        if time.perf_counter() >= end:
            return done
    raise AssertionError("a count has no end")


def decoders(kind: str) -> dict[str, Callable[[bytes], Any]]:
    """Library -> file of a format of PIL to pixels; JPEGs with a short side of `SIDE` or more."""
    found: dict[str, Callable[[bytes], Any]] = {"Pillow": _by_pillow}
    if kind == "JPEG" and _there("simplejpeg"):
        import simplejpeg

        found["simplejpeg"] = lambda data: simplejpeg.decode_jpeg(data, min_height=SIDE, min_width=SIDE)
    if kind in ("JPEG", "PNG", "WEBP") and _there("cv2"):
        found["OpenCV"] = _by_opencv
    return found


def _by_pillow(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (min(SIDE, image.width), min(SIDE, image.height)))
    image.load()
    return image


def _by_opencv(data: bytes) -> np.ndarray:
    import cv2

    cv2.setNumThreads(1)
    width, height = Image.open(io.BytesIO(data)).size
    scale = next((each for each in (8, 4, 2) if min(width, height) >= each * SIDE), 1)
    flag = cv2.IMREAD_COLOR if scale == 1 else getattr(cv2, f"IMREAD_REDUCED_COLOR_{scale}")
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flag))


def resizers() -> dict[str, Callable[[Image.Image], Any]]:
    """Library -> an RGB image to one whose short side is `SIDE`, bicubic, or by areas (OpenCV)."""
    found: dict[str, Callable[[Image.Image], Any]] = {
        "Pillow": lambda image: image.resize(_small(image), Image.Resampling.BICUBIC, reducing_gap=2.0),
        "torch": _by_torch,
    }
    if _there("cv2"):
        import cv2

        found["OpenCV"] = lambda image: cv2.resize(
            np.asarray(image), _small(image), interpolation=cv2.INTER_AREA
        )
    return found


def _by_torch(image: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image))[None].permute(0, 3, 1, 2)
    return interpolate(pixels, _small(image)[::-1], mode="bicubic", antialias=True)


def _small(image: Image.Image) -> tuple[int, int]:
    scale = SIDE / min(image.size)
    return int(image.width * scale), int(image.height * scale)


def saved_as_jpeg(image: Image.Image) -> bytes:
    """The bytes of a thumbnail. PIL lets go of Python's lock where a file has a descriptor."""
    with file_in_memory() as file:
        image.save(file, "JPEG", quality=_QUALITY)
        file.seek(0)
        return file.read()


def read_and_hashed(parquet: Path) -> list[bytes]:
    """The SHA-256 of each picture of a file, in the column `image` of `datasets`; no picture is copied."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(parquet, buffer_size=_BUFFER_BYTES) as opened:
        return [
            hashlib.sha256(picture.as_buffer()).digest()
            for batch in opened.iter_batches(_AT_ONCE, columns=["image"], use_threads=False)
            for picture in batch.column(0).field("bytes")
        ]


def _there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
