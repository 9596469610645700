"""Figures of an evaluation as Markdown tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.evaluation.closeness import ClosenessRow
from pipeline.evaluation.instances import InstanceRow
from pipeline.evaluation.words import WordsRow

__all__ = [
    "closeness_table",
    "instance_table",
    "matches_table",
    "protocol_tables",
    "recommendation_table",
    "table",
    "words_table",
]

_MEASURES = ("P@1", "mAP@all")  # of each label field


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table.

    >>> list(table(["a", "b"], [["1", "2"]]))
    ['| a | b |', '| --- | --- |', '| 1 | 2 |']
    """
    yield _line(head)
    yield _line(["---"] * len(head))
    for row in rows:
        yield _line(row)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def protocol_tables(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A table for each protocol; a row for each encoder and way to rank, columns for each label field.

    Args:
        results: of `pipeline.evaluation.run.measure`.
    """
    for protocol in dict.fromkeys(result["protocol"] for result in results):
        those = [result for result in results if result["protocol"] == protocol]
        fields = list(dict.fromkeys(row["field"] for result in those for row in result["rows"]))
        asked = {
            field: max(row["queries"] for each in those for row in each["rows"] if row["field"] == field)
            for field in fields
        }
        counted = ", ".join(f"{count:,} by {field}" for field, count in asked.items())
        yield from ("", f"#### {_capital(protocol)}", "")
        yield from (f"{_capital(those[0]['about'])}. Queries with something to find: {counted}.", "")
        yield from table(
            [
                "encoder",
                "ranked by",
                "bytes a picture",
                *(f"{measure}, {field}" for field in fields for measure in _MEASURES),
            ],
            [cells for result in those for cells in _method_rows(result, fields)],
        )


def _method_rows(result: Mapping[str, Any], fields: Sequence[str]) -> Iterator[list[str]]:
    for method in dict.fromkeys(row["method"] for row in result["rows"]):
        rows = {row["field"]: row for row in result["rows"] if row["method"] == method}
        size = max(row["bytes"] for row in rows.values())
        scores = [rows[field]["scores"] if field in rows else {} for field in fields]
        yield [
            f"`{result['encoder']}`",
            method,
            f"{size:,}",
            *(interval(each[name]) if name in each else "–" for each in scores for name in _MEASURES),
        ]


def matches_table(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the calibrated threshold of "all matches" calls a match.

    Args:
        results: of one protocol, one for each encoder.
    """
    yield from ("", "#### All matches", "", f"{_capital(results[0]['protocol'])}.", "")
    yield from table(
        ["encoder", "by", "relevant: same", "precision", "recall", "matches a query"],
        [
            [
                f"`{result['encoder']}`",
                row["metric"],
                row["field"],
                _bounded(row, "precision"),
                _bounded(row, "recall"),
                f"{row['matches']:.1f}",
            ]
            for result in results
            for row in result["matches"]
            if row["default"]
        ],
    )


def _bounded(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "–"
    return interval({"mean": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]})


def recommendation_table(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Whether a work that was held out is recommended to someone who likes others with its label.

    One label field alone, the first: artists, where there are some.

    Args:
        results: of one protocol, one for each encoder.
    """
    rows = [(result["encoder"], row) for result in results for row in result["recommendation"]]
    if not rows:
        return
    rows = [(encoder, row) for encoder, row in rows if row["field"] == rows[0][1]["field"]]
    yield from ("", "#### Recommendation", "", f"{_capital(results[0]['protocol'])}.", "")
    yield from table(
        ["encoder", "liked", "strategy", *rows[0][1]["scores"]],
        [
            [
                f"`{encoder}`",
                f"{row['liked']} of one {row['field']}",
                row["strategy"],
                *(interval(score) for score in row["scores"].values()),
            ]
            for encoder, row in rows
        ],
    )


def interval(score: Mapping[str, float]) -> str:
    """
    >>> interval({"mean": 0.5, "low": 0.41, "high": 0.59})
    '0.500 [0.410, 0.590]'
    """
    return f"{score['mean']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def instance_table(rows: Mapping[str, Sequence[InstanceRow]], searched: int) -> Iterator[str]:
    """
    Args:
        rows: by encoder.
        searched: pictures in the database.
    """
    first = next(iter(rows.values()))
    yield from ("", "#### The same picture, altered", "")
    yield (
        f"{first[0].queries:,} pictures that no network here was trained on are altered and searched among "
        f"{searched:,} pictures, by cosine of prepared vectors. Only the original is relevant, so mAP is the "
        "mean of 1 / its rank."
    )
    yield ""
    yield from table(
        ["the query was", *(f"`{name}`: {measure}" for name in rows for measure in ("first hit", "mAP"))],
        [
            [those[0].alteration, *(each for row in those for each in _instance(row))]
            for those in zip(*rows.values(), strict=True)
        ],
    )


def _instance(row: InstanceRow) -> tuple[str, str]:
    return interval(row.first), interval(row.mean_average_precision)


def closeness_table(rows: Mapping[str, Sequence[ClosenessRow]], protocol: str) -> Iterator[str]:
    """
    Args:
        rows: by encoder.
        protocol: its name.
    """
    yield from ("", "#### Closeness words", "")
    yield (
        f"{protocol}. The share of the database that gets this word or a better one, for queries that were "
        "not used in the calibration, and how often such hits have the query's label."
    )
    yield ""
    fields = list(next(iter(rows.values()))[0].alike)
    yield from table(
        ["encoder", "word", "measured", *(f"same {field}" for field in fields)],
        [
            [f"`{name}`", f"top {100 * row.share:g}%", *_closeness(row)]
            for name, those in rows.items()
            for row in those
        ],
    )


def _closeness(row: ClosenessRow) -> Iterator[str]:
    measured = {name: 100 * value for name, value in row.measured.items()}
    yield f"{measured['mean']:.2f}% [{measured['low']:.2f}, {measured['high']:.2f}]"
    for value in row.alike.values():
        yield "–" if value is None else f"{value:.3f}"


def words_table(rows: Mapping[str, Sequence[WordsRow]], searched: int) -> Iterator[str]:
    """
    Args:
        rows: by encoder.
        searched: pictures that the words are searched in.
    """
    yield from ("", "#### Words by prototypes of labels", "")
    yield (
        f"P@10 in {searched:,} pictures that were not used for the prototypes: the mean over all queries "
        "with this label."
    )
    yield ""
    yield from table(
        ["label", "queries", *(f"`{name}`" for name in rows), "possible", "at random"],
        [
            [
                f"{those[0].field}: {those[0].value}",
                f"{those[0].queries}",
                *(f"{row.precision:.3f}" for row in those),
                f"{those[0].possible:.3f}",
                f"{those[0].random:.3f}",
            ]
            for those in zip(*rows.values(), strict=True)
        ],
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
