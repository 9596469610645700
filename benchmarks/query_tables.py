"""Figures of `benchmarks.query` as tables."""

from collections.abc import Sequence
from typing import Any

from benchmarks.report import print_table

__all__ = ["show", "show_growth"]


def show(result: dict[str, Any]) -> None:
    """One size and way."""
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
    narrowed = result["filtered"]
    rows = [[name, *of.values()] for name, of in narrowed.items() if name != "share"]
    columns = ["filtered", "p50 ms", "p95 ms", "recall@10"]
    print_table(f"{title}: two fields ANDed, {narrowed['share']:.1%} of the points", columns, rows)


def show_growth(results: Sequence[dict[str, Any]]) -> None:
    """What more points cost, one way after the other."""
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
    """Of RAM a point: codes and links of all its vectors."""
    return sum(value for of in result["bytes_a_point"].values() for value in of.values())
