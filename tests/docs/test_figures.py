"""Figures that a page repeats are those of the tables that a command printed, and those of curves."""

import json
import re
from pathlib import Path

import pytest
import yaml

from benchmarks.gpu_simulation import node_table
from docs import attempts
from tests.docs.pages import DOCS, ROOT, Table, tables

DECIMAL = r"\b[01]\.\d{3}\b"
FIGURE = re.compile(rf"{DECIMAL} \[{DECIMAL}, {DECIMAL}\]")  # with its interval
RESULTS = ROOT / "benchmarks" / "results"
PRINTED = (DOCS / "evaluation-tables.md").read_text(encoding="utf-8")
SHIPPED = sorted(
    encoder["name"].removeprefix("weights:")
    for name in ("cifar10", "wikiart")
    for encoder in yaml.safe_load((ROOT / "qdrant_config" / f"{name}.yaml").read_text("utf-8"))["encoders"]
)


def table_of(page: Path, first: str, second: str) -> Table:
    (found,) = [table for table in tables(page) if table.head[:2] == [first, second]]
    return found


def test_every_figure_of_the_summary_stands_in_the_tables() -> None:
    said = " ".join((DOCS / "evaluation.md").read_text(encoding="utf-8").split())
    figures = FIGURE.findall(said)
    assert len(figures) > 30
    assert [figure for figure in figures if f"| {figure} |" not in PRINTED] == []
    without_interval = re.findall(DECIMAL, FIGURE.sub("", said))
    # The table of words gives an interval as an example.
    assert [
        figure for figure in without_interval if f"`[{figure}, " not in said and f", {figure}]`" not in said
    ] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_figures_of_a_card_stand_in_the_tables(name: str) -> None:
    cells = [
        row[at]
        for table in tables(ROOT / "weights" / name / "README.md")
        for at, head in enumerate(table.head)
        if head.startswith(("P@1,", "mAP,", "mAP@all")) or head == "P@1"
        for row in table.rows
    ]
    assert len(cells) >= 8
    assert [cell for cell in cells if f"| {cell} |" not in PRINTED] == []


def test_figures_of_the_readme_stand_in_the_tables() -> None:
    rows = [
        row for row in table_of(ROOT / "README.md", "what", "figure").rows if "ray_jobs.evaluate" in row[2]
    ]
    figures = [figure for row in rows for figure in re.findall(DECIMAL, row[1])]
    assert len(figures) >= 4
    assert [figure for figure in figures if f"| {figure} [" not in PRINTED] == []


def test_what_was_reached_stands_in_the_tables() -> None:
    reached = [row[3].strip("*") for row in table_of(DOCS / "attempts.md", "network", "figure").rows]
    ships = [row for row in table_of(DOCS / "attempts.md", "network", "attempt").rows if "ships" in row[1]]
    reached += [figure for row in ships for figure in row[4].split(", ")]
    assert len(ships) == len(SHIPPED)
    assert [figure for figure in reached if f"| {figure} [" not in PRINTED] == []


def test_validation_of_each_attempt_is_the_end_of_its_curve() -> None:
    rows = table_of(DOCS / "attempts.md", "network", "attempt").rows
    said = {(row[0].strip("`"), int(row[1][0])): row[3].split(",")[0] for row in rows}
    for panel in attempts.PANELS:
        for attempt, points in attempts.curves(panel).items():
            assert said[panel.network, attempt] == f"{points[-1][1]:.4f}", (panel.network, attempt)


def test_the_drawing_of_the_attempts_is_what_the_command_draws() -> None:
    assert attempts.FILE.read_text(encoding="utf-8") == attempts.drawing()


def test_the_cores_for_a_gpu_follow_from_what_was_measured() -> None:
    measured = json.loads((RESULTS / "gpu-simulation.json").read_text(encoding="utf-8"))
    follows = [
        [network.removesuffix(", 224 px"), size.removeprefix("JPEG "), *map(str, figures)]
        for network, size, *figures in node_table(measured["prepare_ms"], measured["lock_ms"])
    ]
    assert table_of(DOCS / "cluster.md", "network, 224 px", "JPEG").rows == follows


def test_figures_of_the_quantizations_are_those_of_the_benchmark() -> None:
    rows = json.loads((RESULTS / "quantizations.json").read_text(encoding="utf-8"))["rows"]
    measured = {
        (row["collection"], row["vector"], row["path"], f"{row['recall']:.3f}, {row['p50_ms']:.2f} ms")
        for row in rows
    }
    table = table_of(DOCS / "vectors.md", "components and quantization", "by")
    said = [
        (*head.lower().replace("-", "").split(", "), row[1], cell)
        for row in table.rows
        for head, cell in zip(table.head[2:], row[2:], strict=True)
    ]
    assert len(said) >= 36
    assert [each for each in said if each not in measured] == []
