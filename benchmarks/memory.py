"""Peak memory of the whole index job, few rows against many: python -m benchmarks.memory --source FOLDER"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter

import psutil

__all__ = ["main", "peak_of"]

_EVERY_SECONDS = 0.5


def peak_of(command: list[str]) -> tuple[Counter[str], float, float]:
    """Runs a command and measures the memory of all its processes together; shared pages count once.

    Returns:
        Bytes of each kind of process when their sum was largest, the seconds until then, and those until the
        end of the command.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    start = time.monotonic()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak, at = Counter[str](), 0.0
    while process.poll() is None:
        now = Counter[str]()
        for each in [process, *_children(process)]:
            now[_kind(each)] += _proportional(each)
        if now.total() > peak.total():
            peak, at = now, time.monotonic() - start
        time.sleep(_EVERY_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak, at, time.monotonic() - start


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _kind(process: psutil.Process) -> str:
    """`driver`, `ray::MapWorker(…)` and the like for workers, else the program's name."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return "ended"
    if "ray_jobs.index" in words:
        return "driver"
    return words[0].split()[0].rsplit("/", 1)[-1] if words and words[0] else "ended"


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
    parser.add_argument("--encoder", default="weights:cifar10-cnn")
    parser.add_argument("--few", type=int, default=5_000)
    parser.add_argument("--many", type=int, default=50_000)
    options = parser.parse_args()
    peaks = {}
    for rows in (options.few, options.many):
        with tempfile.TemporaryDirectory(prefix="simile-memory-") as home:
            command = [sys.executable, "-m", "ray_jobs.index", options.config, "--source", options.source]
            command += ["--encoder", options.encoder, "--limit", str(rows), "--home", home]
            peak, at, seconds = peak_of(command)
        peaks[rows] = peak.total()
        parts = ", ".join(f"{kind} {size / 1e6:,.0f}" for kind, size in peak.most_common(6))
        print(
            f"{rows:>8,} rows: {peak.total() / 1e6:>8,.0f} MB at most, after {at:,.0f} of {seconds:,.0f} s "
            f"({parts})",
            file=sys.stderr,
        )
    ratio = peaks[options.many] / peaks[options.few]
    print(json.dumps({"rows": list(peaks), "peak_bytes": list(peaks.values()), "ratio": round(ratio, 3)}))


if __name__ == "__main__":
    main()
