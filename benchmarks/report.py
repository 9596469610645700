"""Figures with the machine, versions and commit that they belong to; tables for people."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "machine", "print_table", "write_result"]

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("numpy", "torch", "onnxruntime", "timm", "ray", "qdrant-client", "qdrant-edge-py")


def machine() -> dict[str, Any]:
    """Processor, cores, memory in GB, load when asked, versions of what was measured, and commit."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "commit": _commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_result(name: str, figures: dict[str, Any], load_before: dict[str, Any]) -> Path:
    """Write `<name>.json`; `load_before` is `machine()` from before the measurement."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    facts = load_before | {"load_after": round(os.getloadavg()[0], 1)}
    path.write_text(json.dumps({"machine": facts} | figures, indent=1) + "\n", encoding="utf-8")
    return path


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns as wide as what they hold."""
    cells = [list(columns)] + [[str(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    print(f"\n{title}")
    for row in cells:
        print(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True
        )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], capture_output=True, text=True, check=False
    )
    return run.stdout.strip() or "unknown"
