"""What `ray_jobs.evaluate` prints, from results made by hand."""

from typing import Any

from pipeline.evaluation.results import table_lines
from pipeline.evaluation.scores import MEASURES


def scored(mean: float, **bounds: float) -> dict[str, dict[str, float]]:
    return {name: {"mean": mean, "low": mean - 0.01, "high": mean + 0.01} | bounds for name in MEASURES}


def result(**changes: Any) -> dict[str, Any]:
    rows = [
        {
            "method": "cosine",
            "metric": "cosine",
            "bytes": 512,
            "field": "label",
            "queries": 5000,
            "without_relevant": 0,
            "scores": scored(0.941),
        },
        {
            "method": "untrained code (ITQ), 48 bits",
            "metric": "hamming",
            "bytes": 6,
            "field": "label",
            "queries": 5000,
            "without_relevant": 0,
            "scores": scored(0.9254, best=0.9995, worst=0.9061),
        },
    ]
    return {
        "protocol": "P (5,000 queries)",
        "encoder": "weights:x",
        "rows": rows,
        "matches": [],
        "recommendation": [],
    } | changes


def test_intervals_stand_under_means_and_codes_have_both_orders_of_ties() -> None:
    lines = list(table_lines([result()]))
    assert lines[1:3] == ["P (5,000 queries) · weights:x", "  relevant: same label (5,000 queries)"]
    assert lines[3].split() == ["bytes", *MEASURES]
    assert lines[4].split() == ["cosine", "512", *[".941"] * len(MEASURES)]
    assert lines[5].split() == ["95", "%", "interval", *[".931–.951"] * len(MEASURES)]
    assert lines[6].split()[-len(MEASURES) - 1 :] == ["6", *[".925"] * len(MEASURES)]
    assert lines[7].split()[3:] == [".915–.935"] * len(MEASURES)
    assert lines[8].split()[:4] == ["worst–best", "order", "of", "ties"]
    assert lines[8].split()[4:] == [".906–1.00"] * len(MEASURES)
    assert lines[9] == "" and "expected over random order" in lines[10]  # cosine has no such line


def test_columns_are_aligned_and_fit_a_terminal() -> None:
    recommended = {
        "field": "artist",
        "strategy": "average, diverse",
        "liked": 5,
        "trials": 9,
        "scores": {
            name: {"mean": 1.0, "low": 1.0, "high": 1.0}
            for name in ("recall@10", "nDCG@10", "same@10", "diversity")
        },
    }
    match = {
        "field": "artist",
        "metric": "hamming",
        "default": True,
        "threshold": 0.61234,
        "precision": 0.5,
        "precision_low": 0.4567,
        "precision_high": 1.0,
        "recall": None,
        "matches": 12345.25,
    }
    lines = list(table_lines([result(recommendation=[recommended], matches=[match])]))
    assert max(map(len, lines)) <= 110
    table = lines[3:9]
    assert {len(line) for line in table} == {len(table[0])}  # right-aligned to the last column
    (matches,) = [line for line in lines if "all matches" in line]
    assert matches.endswith("≥ .612, artist: precision .500 [.457–1.00], recall –, 12345.2 a query")
    (row,) = [line for line in lines if "5 of one artist, average, diverse" in line]
    assert row.count("1.00 [1.00–1.00]") == 4


def test_what_cannot_be_measured_is_a_dash_and_queries_left_out_are_named() -> None:
    bare = result()
    bare["rows"] = bare["rows"][:1]
    del bare["rows"][0]["scores"]["R@100"]
    bare["rows"][0]["without_relevant"] = 1200
    lines = list(table_lines([bare]))
    assert lines[2].endswith("(5,000 queries; 1,200 more have nothing to find)")
    assert lines[4].split()[2:5] == [".941", ".941", "–"]


def test_answers_of_the_engine_have_intervals_too() -> None:
    scores = {"label cosine P@1": {"mean": 0.5, "low": 0.4, "high": 0.6}}
    lines = list(table_lines([{"protocol": "exact", "encoder": "e", "scores": scores}]))
    assert lines[2].split() == ["label", "cosine", "P@1", "0.500", "[0.400,", "0.600]"]
