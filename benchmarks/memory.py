"""Peak memory of the whole index job, few rows against many: python -m benchmarks.memory --source FOLDER"""

import argparse
import json
import subprocess
import sys
import tempfile
import time

import psutil

__all__ = ["main", "peak_of"]

_EVERY_SECONDS = 0.5


def peak_of(command: list[str]) -> tuple[int, float]:
    """Run a command; the largest sum over its processes (bytes, shared pages counted once) and its seconds.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    start = time.monotonic()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(map(_proportional, [process, *_children(process)])))
        time.sleep(_EVERY_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak, time.monotonic() - start


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _proportional(process: psutil.Process) -> int:
    """PSS: pages of Ray's object store, which many processes map, count once in the sum."""
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0
    return getattr(memory, "pss", memory.uss)


def main() -> None:
    """Two jobs into homes of their own; one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--config", default="qdrant_config/cifar10.yaml")
    parser.add_argument("--source", required=True)
    parser.add_argument("--encoder", default="pypi:efficientnet-lite0@32px")
    parser.add_argument("--few", type=int, default=5_000)
    parser.add_argument("--many", type=int, default=50_000)
    options = parser.parse_args()
    peaks = {}
    for rows in (options.few, options.many):
        with tempfile.TemporaryDirectory(prefix="simile-memory-") as home:
            command = [sys.executable, "-m", "ray_jobs.index", options.config, "--source", options.source]
            command += ["--encoder", options.encoder, "--limit", str(rows), "--home", home]
            peak, seconds = peak_of(command)
        peaks[rows] = peak
        print(f"{rows:>8,} rows: {peak / 1e6:>8,.0f} MB at most, {seconds:,.0f} s", file=sys.stderr)
    ratio = peaks[options.many] / peaks[options.few]
    print(json.dumps({"rows": list(peaks), "peak_bytes": list(peaks.values()), "ratio": round(ratio, 3)}))


if __name__ == "__main__":
    main()
