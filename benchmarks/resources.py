"""The memory of a process, and whether this machine has room for so many points."""

import shutil
from pathlib import Path

import psutil

__all__ = ["peak_gb", "resident_mb", "shortage"]

_OTHER_BYTES = 600  # of a point: payload, ids, codes and links
_COPIES = 2  # of everything on disk, while segments are merged


def resident_mb() -> dict[str, float]:
    """RSS of this process in MB: `heap` is its own; `files` are mapped, and the system may drop them."""
    info = psutil.Process().memory_info()
    files = getattr(info, "shared", 0)  # Linux
    return {"heap": round((info.rss - files) / 1e6, 1), "files": round(files / 1e6, 1)}


def peak_gb(pid: int | str = "self") -> float:
    """The largest RSS that a process ever had, in GB, mapped files included; 0 where there is no /proc.

    It is not `ru_maxrss`, which a new program inherits from the one that started it.
    """
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.is_file() else []
    return next((round(int(line.split()[1]) * 1024 / 1e9, 2) for line in lines if line[:6] == "VmHWM:"), 0.0)


def shortage(points: int, dimension: int, code_bits: int, folder: Path) -> str | None:
    """Why so many points (float32 vectors, float16 codes) do not fit, in one sentence; None if they do."""
    size = points * (4 * dimension + 2 * code_bits + _OTHER_BYTES)
    disk, memory = shutil.disk_usage(folder).free, psutil.virtual_memory().available
    for need, free, what in (
        (size * _COPIES, disk, f"disk in {folder}"),
        (size, memory, "memory while the graph is built"),
    ):
        if need > free:
            return (
                f"{points:,} points need about {need / 1e9:,.1f} GB of {what}, and {free / 1e9:,.1f} GB are "
                "free; ask for fewer with --points."
            )
    return None
