"""`ray_jobs.evaluate` and `ray_jobs.report` as their users run them, on collections of known geometry."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipeline.index_quality.calibration import calibrate_version, match_threshold, unusualness
from pipeline.store import open_store
from ray_jobs import evaluate, report


def run(command: Any, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    capsys.readouterr()
    command.main(list(arguments))
    printed = capsys.readouterr()
    return json.loads(printed.out.strip().splitlines()[-1]), printed.err


def test_stored_vectors_are_measured_and_kept(
    clusters_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, table = run(evaluate, capsys, "clusters", "--home", str(clusters_home))
    (result,) = found["results"]
    assert result["protocol"] == "within the collection (60 queries, leave-one-out in 60)"
    assert result["counts"] == {"queries": 60, "training": 0, "database": 60}
    assert result["seed"] == 0 and "expected" in result["ties"]
    methods = {row["method"]: row for row in result["rows"]}
    assert list(methods) == ["cosine", "cosine, CSLS", "signs of vector, 32 bits"]
    assert methods["cosine"]["scores"]["mAP@R"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    hamming = methods["signs of vector, 32 bits"]["scores"]["mAP@all"]
    assert 0.9 < hamming["worst"] <= hamming["mean"] <= hamming["best"] <= 1
    assert "mAP@R" in table and "cosine, CSLS" in table and "worst–best order of ties" in table
    low, mean, high = (hamming[key] for key in ("low", "mean", "high"))
    assert low <= mean <= high
    run(evaluate, capsys, "clusters", "--home", str(clusters_home))
    store = open_store(str(clusters_home))
    kept = json.loads(store.attachment("clusters__1", "evaluation.json") or b"")
    assert [each["protocol"] for each in kept] == [result["protocol"]]  # replaced, not repeated


@pytest.mark.parametrize("engine", ["exact", "approximate"])
def test_the_engine_is_measured(clusters_home: Path, capsys: pytest.CaptureFixture[str], engine: str) -> None:
    arguments = ("clusters", "--home", str(clusters_home), "--engine", engine, "--limit", "8")
    (result,) = run(evaluate, capsys, *arguments)[0]["results"]
    assert result["counts"] == {"queries": 8, "training": 0, "database": 60}
    assert result["scores"]["kind cosine P@10"]["mean"] == 1
    assert result["protocol"].startswith(engine)


def test_everything_goes_on_after_a_collection_that_cannot_be_measured(
    clusters_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here none can: their source is not there any more."""
    capsys.readouterr()
    evaluate.main(["--everything", "--baseline", "none", "--home", str(clusters_home)])
    printed = capsys.readouterr().out
    assert re.findall("^### .*", printed, re.MULTILINE) == [
        "### clusters: not measured",
        "### plain: not measured",
    ]
    assert printed.startswith("Made by `python -m ray_jobs.evaluate --everything --baseline none` on ")


@pytest.mark.parametrize(
    "arguments",
    [
        "nothing",
        "nothing --engine exact",
        "nothing --protocol c",
        "nothing --everything",
        "clusters --protocol c --baseline none",  # its source is not there any more
        "clusters --everything --baseline none",
    ],
)
def test_an_error_that_leaves_nothing_to_print_has_no_heading(
    clusters_home: Path, capsys: pytest.CaptureFixture[str], arguments: str
) -> None:
    capsys.readouterr()
    with pytest.raises(SystemExit):
        evaluate.main([*arguments.split(), "--home", str(clusters_home)])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith("error: ")


def test_without_labels_it_says_what_to_do(clusters_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(["plain", "--home", str(clusters_home)])
    assert "ray_jobs.report plain" in capsys.readouterr().err


class _Resources(HTMLParser):
    """Everything that a browser would fetch, and the text it would show."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe")
        self.fetched += [value or "" for name, value in attrs if name in ("src", "srcset", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> _Resources:
    parser = _Resources()
    parser.feed(page)
    return parser


def test_report_of_a_labelled_collection(
    clusters_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.html"
    run(evaluate, capsys, "clusters", "--home", str(clusters_home))
    found, _ = run(report, capsys, "clusters", "--home", str(clusters_home), "--output", str(file))
    page = file.read_text()
    assert found["bytes"] == len(page.encode())
    assert open_store(str(clusters_home)).attachment("clusters__1", "report.html") == page.encode()
    seen = read(page)
    assert seen.fetched and all(url.startswith("data:image/webp;base64,") for url in seen.fetched)
    assert "<kind 0>" in seen.text  # escaped in the source, whole on the page
    assert not re.search(r"url\(|@import", page)
    text = " ".join(seen.text.split())
    assert "the nearest neighbour has the same kind in 100.0 % (by chance: 23.7 %)" in text
    assert "within the collection (60 queries, leave-one-out in 60)" in text
    assert page.count('class="cell own"') == 4 and page.count('class="cell other"') == 12


def test_report_without_labels(
    clusters_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.html"
    run(report, capsys, "plain", "--home", str(clusters_home), "--output", str(file))
    text = " ".join(read(file.read_text()).text.split())
    assert "There are no labels to judge by" in text
    assert "Closest pairs" in text and "Hubs" in text and "this collection has no labels" in text


def test_a_version_is_calibrated_by_its_own_points(clusters_home: Path) -> None:
    store = open_store(str(clusters_home))
    found = calibrate_version(store, "plain__1", store.read_manifest("plain__1").encoder())
    assert found and {found.cosine.pairs, found.hamming.pairs} == {60 * 59 // 2}
    # a quarter of all pairs less the diagonal is of one cluster, and all of them are nearer than the others
    assert match_threshold(found.cosine, 14 / 59) > 0.8
    assert unusualness(0.8, found.cosine) == pytest.approx(45 / 59, abs=0.02)
