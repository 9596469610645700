"""Results of an evaluation: kept with a version, and as text for a terminal of 110 columns.

A table shows means, their intervals below them, and the range over the order of ties.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.evaluation.scores import MEASURES
from pipeline.store import Store

__all__ = ["EVALUATION", "keep", "kept", "table_lines"]

EVALUATION = "evaluation.json"  # attachment: list of results of `pipeline.evaluation.run.measure`
_NAME, _BYTES, _CELL = 30, 6, 10  # columns; with seven measures and the indent 108
_RECOMMENDED = 36
_LEGEND = (
    "Under each mean its 95 % bootstrap interval over queries. Means of codes are expected over random order",
    "of equal distances; under their interval stand the worst and the best order.",
)


def kept(store: Store, version: str) -> list[dict[str, Any]]:
    """Results that earlier runs kept with a version."""
    data = store.attachment(version, EVALUATION)
    return json.loads(data) if data else []


def keep(store: Store, version: str, results: Sequence[Mapping[str, Any]]) -> None:
    """Keep results with a version; one of the same protocol and encoder replaces the earlier one."""
    fresh = {(result["protocol"], result["encoder"]) for result in results}
    earlier = [
        result for result in kept(store, version) if (result["protocol"], result["encoder"]) not in fresh
    ]
    store.attach(version, EVALUATION, json.dumps([*earlier, *results]).encode())


def table_lines(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A table a protocol, encoder and label field, no line longer than 110 characters unless names are."""
    for result in results:
        yield ""
        yield f"{result['protocol']} · {result['encoder']}"
        if "rows" not in result:
            yield from _engine_lines(result["scores"])
            continue
        for field in dict.fromkeys(row["field"] for row in result["rows"]):
            rows = [row for row in result["rows"] if row["field"] == field]
            yield from _field_lines(field, rows)
        yield from _match_lines(result["matches"])
        yield from _recommendation_lines(result["recommendation"])
    if any(result.get("rows") for result in results):
        yield ""
        yield from _LEGEND


def _engine_lines(scores: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    for key, value in scores.items():
        yield f"  {key:<28}{value['mean']:.3f}  [{value['low']:.3f}, {value['high']:.3f}]"


def _field_lines(field: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A head, then a mean line a method, its interval, and of codes the worst and best order of ties."""
    asked, left = max(row["queries"] for row in rows), min(row["without_relevant"] for row in rows)
    aside = f"; {left:,} more have nothing to find" if left else ""
    yield f"  relevant: same {field} ({asked:,} queries{aside})"
    yield f"  {'':<{_NAME}}{'bytes':>{_BYTES}}" + "".join(f"{name:>{_CELL}}" for name in MEASURES)
    for row in rows:
        scores = [row["scores"].get(name) for name in MEASURES]
        means = "".join(f"{_decimal(each['mean']) if each else '–':>{_CELL}}" for each in scores)
        yield f"  {row['method']:<{_NAME}}{row['bytes']:>{_BYTES}}{means}"
        yield _under("95 % interval", scores, "low", "high")
        if any(each and "best" in each for each in scores):
            yield _under("worst–best order of ties", scores, "worst", "best")


def _under(name: str, scores: Sequence[Mapping[str, float] | None], first: str, second: str) -> str:
    cells = "".join(f"{_span(each, first, second) if each else '':>{_CELL}}" for each in scores)
    return f"  {name:>{_NAME}}{'':{_BYTES}}{cells}"


def _match_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        if row["default"] and row["precision"] is not None:
            shares = f"precision {_bounded(row, 'precision')}, recall {_bounded(row, 'recall')}"
            yield (
                f"  all matches by {row['metric']} ≥ {_decimal(row['threshold'])}, {row['field']}: {shares}, "
                f"{row['matches']:.1f} a query"
            )


def _bounded(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "–"
    return f"{_decimal(row[name])} [{_decimal(row[f'{name}_low'])}–{_decimal(row[f'{name}_high'])}]"


def _recommendation_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    width = 2 * _CELL - 2
    head = "".join(f"{name:>{width}}" for name in rows[0]["scores"])
    yield f"  {'recommended from liked works':<{_RECOMMENDED}}{head}"
    for row in rows:
        named = f"{row['liked']} of one {row['field']}, {row['strategy']}"
        cells = "".join(
            f"{_decimal(value['mean']) + ' [' + _span(value, 'low', 'high') + ']':>{width}}"
            for value in row["scores"].values()
        )
        yield f"  {named:<{_RECOMMENDED}}{cells}"


def _span(score: Mapping[str, float], first: str, second: str) -> str:
    return f"{_decimal(score[first])}–{_decimal(score[second])}"


def _decimal(value: float) -> str:
    """Four characters: .934, 1.00."""
    return f"{value:.3f}"[1:] if round(value, 3) < 1 else f"{value:.2f}"
