"""The memory of a process, and whether this machine has room for so many points."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["Resident", "peak_gb", "resident_mb", "resident_of", "shortage"]

_OTHER_BYTES = 600  # of a point: payload, ids, codes and links
_COPIES = 2  # of everything on disk, while segments are merged


@dataclass(frozen=True)
class Resident:
    """Resident memory in bytes.

    Attributes:
        own: of the process itself: its heap, and shared memory such as Ray's object store. It must fit.
        mapped: pages of files that it has mapped. The system takes them back when memory runs short.
    """

    own: int = 0
    mapped: int = 0

    def at_most(self, other: "Resident") -> "Resident":
        """The larger of each of both."""
        return Resident(max(self.own, other.own), max(self.mapped, other.mapped))


def resident_of(pid: int) -> Resident:
    """What a process holds now; nothing where it has ended, or where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return Resident()
    kilobytes = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in lines if line[:3] == "Rss")
    }
    own = kilobytes.get("RssAnon", 0) + kilobytes.get("RssShmem", 0)
    return Resident(own * 1024, kilobytes.get("RssFile", 0) * 1024)


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
