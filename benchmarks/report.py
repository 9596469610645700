"""Results of benchmarks: JSON files with the machine, versions and commit, and tables on the screen."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.machine import commit, processor

__all__ = ["RESULTS", "machine", "print_growth", "print_query_result", "print_table", "write_result"]

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("numpy", "torch", "onnxruntime", "timm", "ray", "qdrant-client", "qdrant-edge-py")


def machine() -> dict[str, Any]:
    """Processor, cores, memory in GB, present load, versions of the packages, and commit."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "commit": commit(),
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
    """Prints a table, each column as wide as its widest cell."""
    cells = [list(columns)] + [[str(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    print(f"\n{title}")
    for row in cells:
        print(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True
        )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def print_query_result(result: dict[str, Any]) -> None:
    """Prints the tables of one size and way of benchmarks.query."""
    title = f"{result['points']:,} points, {result['way']}"
    if "searches" in result:
        callers = next(iter(result["searches"].values()))["queries_per_second"]
        print_table(
            f"{title}: {_bytes(result):.0f} bytes a point of codes and links",
            ["search", "p50 ms", "p95 ms", *[f"queries/s, {n} at once" for n in callers], "recall@10"],
            [
                [
                    kind,
                    of["p50_ms"],
                    of["p95_ms"],
                    *[f"{rate:,.0f}" for rate in of["queries_per_second"].values()],
                    of.get("recall", "exact"),
                ]
                for kind, of in result["searches"].items()
            ],
        )
    for only, narrowed in result["filtered"].items():
        rows = [[name, *of.values()] for name, of in narrowed.items() if name != "share"]
        columns = ["filtered", "p50 ms", "p95 ms", "recall@10"]
        print_table(f"{title}: {only}, {narrowed['share']:.1%} of the points", columns, rows)


def print_growth(results: Sequence[dict[str, Any]]) -> None:
    """Prints how time and RAM of benchmarks.query grow with the number of points, by way."""
    rows = []
    for result in sorted(results, key=lambda each: (each["way"], each["points"])):
        row = [result["way"], f"{result['points']:,}", result["write_s"], result["index_s"]]
        row += [result["build_peak_gb"]]
        if "searches" in result:
            row += [f"{_bytes(result):.0f}", *result["ram_mb"].values()]
            row += [of["p50_ms"] for of in result["searches"].values()]
            columns = ["B", *[f"RAM {name} MB" for name in result["ram_mb"]]]
            columns += [f"{kind} ms" for kind in result["searches"]]
        else:
            columns = []
        rows.append(row)
    print_table(
        "Time and RAM by number of points (peak GB: of building, with mapped files; B: of codes and links a "
        "point; RAM: of approximate searches; ms: p50)",
        ["way", "points", "write s", "index s", "peak GB", *columns],
        rows,
    )


def _bytes(result: dict[str, Any]) -> float:
    """Bytes of RAM a point: codes and links of all its vectors."""
    return sum(value for of in result["bytes_a_point"].values() for value in of.values())
