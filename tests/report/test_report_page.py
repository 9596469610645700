"""The tables of a report, read back from its HTML: of a collection that was measured, and of made results."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.evaluation.results import keep
from pipeline.evaluation.scores import MEASURES
from pipeline.index_quality.calibration import calibrate_version
from pipeline.index_quality.recall import check_version
from pipeline.report import make_report
from pipeline.store import Store, open_store
from ray_jobs import evaluate
from tests.evaluation.conftest import D, write_collection


class Tables(HTMLParser):
    """(class of the table, rows of cells) of every table, and the text of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.text = ""
        self.kinds: list[str] = []  # classes of all elements
        self._cell = self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("class") or ""
        self.kinds.append(kind)
        if tag == "table":
            self.tables.append((kind, []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][1][-1].append("")
        self._cell = self._cell or tag in ("td", "th")
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")
        self._style = self._style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self._cell:
            before = self.tables[-1][1][-1].pop()
            self.tables[-1][1][-1].append(" ".join([*before.split(), *data.split()]))
        elif not self._style:
            self.text = " ".join([*self.text.split(), *data.split()])

    def of(self, kind: str) -> list[list[str]]:
        (rows,) = [rows for name, rows in self.tables if name == kind]
        return rows


def read(store: Store, name: str) -> Tables:
    parser = Tables()
    parser.feed(make_report(store, f"{name}__1"))
    return parser


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """`clusters` and `plain`, calibrated and checked as an index job does it."""
    home = tmp_path_factory.mktemp("reports")
    opened = open_store(str(home))
    for name, labelled in (("clusters", True), ("plain", False)):
        version = write_collection(Path(home), name, labelled)
        manifest = opened.read_manifest(version)
        entry = manifest.encoder().model_copy(update={"code_bits": D})
        config = CollectionConfig(collection=name, source="x", encoders=[EncoderConfig(name="e:cnn")])
        found = {
            "calibration": calibrate_version(opened, version, entry),
            "measured": check_version(opened, version, entry, config),
        }
        told = {"encoders": (entry.model_copy(update=found),), "quantization": config.quantization}
        opened.write_manifest(version, manifest.model_copy(update=told))
    evaluate.main(["clusters", "--home", str(home)])
    return opened


def test_recall_and_memory_can_be_read_without_scrolling(store: Store) -> None:
    page = read(store, "clusters")
    measured = store.read_manifest("clusters__1").encoder().measured
    assert measured and measured.bytes and measured.cosine
    (rows,) = [rows for _, rows in page.tables if rows[0][0] == "by"]
    assert rows[0][2:5] == ["bytes a picture", "as floats", "recall@10"]
    cosine, hamming = rows[1:]
    # 32 components of one bit fill a word of 128 bits; of sixty points nothing is lost
    assert cosine[:5] == ["cosine", "binary, 1 bit", "16", "128", "1.0000"]
    assert hamming[:2] == ["hamming", "code of 32 bits"] and hamming[4] == "1.0000"
    assert float(hamming[2]) == measured.bytes.code
    assert cosine[5:] == [f"{ms:.2f}" for ms in (measured.cosine.ms, measured.cosine.exact_ms)]
    assert max(len(cell) for row in rows for cell in row) < 30  # a long cell would push numbers out of view
    assert "with 60 queries: recall@10 by distance against exact search" in page.text
    assert f"that is {measured.bytes.total:,.4f}".rstrip("0").rstrip(".") in page.text


def test_matches_are_those_of_the_calibrated_threshold(store: Store) -> None:
    rows = read(store, "clusters").of("matches")
    calibration = store.read_manifest("clusters__1").encoder().calibration
    assert calibration
    assert rows[0][:4] == ["label", "metric", "random pairs let through", "threshold"]
    defaults = [row for row in rows[1:] if "(default)" in row[2]]
    assert [row[1] for row in defaults] == ["cosine", "hamming"]
    cosine = defaults[0]
    assert cosine[2] == "1 in 20 (default)"  # of few pictures one pair in 20 may match
    assert cosine[3] == f"{calibration.cosine.threshold:.3f}"
    # 5 % of the 1,770 pairs are at most 89 matches, all within clusters, of the 4 × 105 pairs there are
    precision, recall = (float(cell.split()[0]) for cell in cosine[4:6])
    assert precision == 1 and recall == pytest.approx(88 / 420, abs=0.005)
    low, high = map(float, cosine[5].split()[1].split("–"))
    assert low < recall < high
    assert float(cosine[6]) == pytest.approx(2 * 88 / 60, abs=0.05)


def test_scores_show_intervals_and_the_order_of_ties(store: Store) -> None:
    rows = read(store, "clusters").of("scores")
    shown = [name for name in MEASURES if name != "R@100"]
    assert rows[0] == ["method", "bytes", *MEASURES]
    cosine = dict(zip(rows[0], rows[1], strict=True))
    assert cosine["method"] == "cosine" and cosine["R@100"] == "–"  # of sixty pictures
    assert {cosine[name] for name in shown} == {"1.000 1.000–1.000"}
    assert rows[3][0] == f"signs of vector, {D} bits" and rows[3][1] == "4"
    assert all("ties" in cell for cell, name in zip(rows[3][2:], MEASURES, strict=True) if name in shown)


def made(**changes: Any) -> dict[str, Any]:
    return {"key": "stored", "protocol": "made", "encoder": "e:cnn", "about": "", "rows": []} | changes


def test_recommendation_and_answers_of_the_engine_and_the_headline_first(
    tmp_path: Path,
) -> None:
    write_collection(tmp_path, "clusters")
    store = open_store(str(tmp_path))
    score = {"mean": 0.25, "low": 0.2, "high": 0.3}
    names = ("recall@10", "nDCG@10", "same@10", "diversity")
    row = {"field": "kind", "liked": 3, "strategy": "average, diverse", "trials": 1234}
    recommended = row | {"scores": {name: score | {"mean": 0.25 + at} for at, name in enumerate(names)}}
    tied = {"P@1": score | {"worst": 0.1, "best": 0.9}}
    code = {"method": "code", "bytes": 1000, "field": "kind", "queries": 2345, "scores": tied}
    engine = {f"my kind {metric} P@{k}": score for metric in ("cosine", "hamming") for k in (1, 10)}
    results = [
        made(key="engine", protocol="made last", scores=engine),
        made(protocol="made second", recommendation=[recommended]),
        made(key="unseen-database", protocol="made first", rows=[code]),
    ]
    keep(store, "clusters__1", results)
    page = read(store, "clusters")
    assert page.of("recommendation") == [
        ["liked", "of one", "strategy", "trials", *names],
        ["3", "kind", "average, diverse", "1,234", *[f"{0.25 + at:.3f} 0.200–0.300" for at in range(4)]],
    ]
    own, of_engine = [rows for kind, rows in page.tables if kind == "scores"]
    assert own[1][:3] == ["code", "1,000", "0.250 0.200–0.300 ties 0.100–0.900"]
    assert "Relevant: same kind (2,345 queries)" in page.text
    assert of_engine == [
        ["relevant: same", "cosine P@1", "cosine P@10", "hamming P@1", "hamming P@10"],
        ["my kind", *["0.250 0.200–0.300"] * 4],
    ]
    places = [page.text.index(f" {name} ") for name in ("made first Headline", "made second", "made last")]
    assert places == sorted(places)


def test_one_picture_is_too_few_to_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.evaluation.conftest.CLASSES", 1)
    monkeypatch.setattr("tests.evaluation.conftest.EACH", 1)
    version = write_collection(tmp_path, "one")
    with pytest.raises(SimileError, match="holds 1 pictures; a report compares them"):
        make_report(open_store(str(tmp_path)), version)


def test_without_labels_it_says_what_can_be_said(store: Store) -> None:
    page = read(store, "plain")
    assert "There are no labels to judge by" in page.text
    # The nearest of a cluster of fifteen is nearer than nearly all pairs, of which 24 % are of one cluster
    assert "is nearer than 9" in page.text
    assert "A picture is expected in 10.00 lists of ten" in page.text
    assert "this collection has no labels" in page.text
    assert "python -m ray_jobs.evaluate plain" not in page.text  # it would refuse
    assert not {"scores", "matches", "recommendation", "heat"} & set(page.kinds)
    assert "AUC" not in page.text
    assert page.kinds.count("chart") == 1  # neighbours and random pairs
    (rows,) = [rows for _, rows in page.tables if rows[0][0] == "by"]
    assert [row[4] for row in rows[1:]] == ["1.0000", "1.0000"]  # recall needs no labels
