"""Clusters, doubtful labels, unusual pictures and coverage, on vectors whose answer is known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.label_noise import exchanged, score
from pipeline.errors import SimileError
from pipeline.evaluation.labels import UNLABELLED, Labels
from pipeline.insights.clusters import Share, find_clusters, name_of, usual_number
from pipeline.insights.coverage import by_label, covered, unusual_order
from pipeline.insights.examine import examine
from pipeline.insights.label_noise import doubtful_labels
from pipeline.report.geometry import find_neighbours
from pipeline.search import Collection
from ray_jobs.insights import PAGE, main
from tests.search.conftest import IDS, fill, greys, store  # noqa: F401 (fixtures)

# Three bunches of 40 pictures, around three axes of eight.
RNG = np.random.default_rng(0)
KIND = np.repeat(np.arange(3), 40)
VECTORS = (np.eye(8)[KIND] + RNG.normal(0, 0.1, (120, 8))).astype(np.float32)
LABELS = Labels(KIND, ("cat", "dog", "plane"))


def test_clusters_are_named_by_their_labels() -> None:
    clusters = find_clusters(VECTORS, {"label": LABELS}, 3)
    assert sorted(cluster.name for cluster in clusters) == ["cat", "dog", "plane"]
    for cluster in clusters:
        assert len(cluster.members) == 40 and len(set(KIND[cluster.members])) == 1
        assert cluster.shares[0].share == 1.0 and cluster.shares[0].lift == pytest.approx(3)
        rows = VECTORS[cluster.members] / np.linalg.norm(VECTORS[cluster.members], axis=1, keepdims=True)
        cosines = rows @ rows.mean(axis=0)
        assert cosines[:5].mean() > cosines.mean() > cosines[-5:].mean(), "the most typical first"


def test_a_label_that_is_everywhere_names_nothing() -> None:
    everywhere = Labels(np.arange(120) % 2, ("a", "b"))
    assert {cluster.name for cluster in find_clusters(VECTORS, {"half": everywhere}, 3)} == {"mixed"}
    assert name_of((Share("f", "x", 0.9, 2.0),)) == "x"
    assert [usual_number(n) for n in (1, 24, 100, 50_000)] == [1, 1, 4, 32]


def test_equal_pictures_are_one_cluster() -> None:
    assert [len(each.members) for each in find_clusters(np.ones((5, 4)), {}, 5)] == [5]


def test_exchanged_labels_are_found() -> None:
    near = find_neighbours(VECTORS, 120, 10)
    wrong, flipped = exchanged(LABELS, 0.05)
    assert flipped.sum() == 6
    doubts = doubtful_labels(near.places, near.scores, wrong)
    assert {doubt.place for doubt in doubts} == set(np.flatnonzero(flipped))
    for doubt in doubts:
        assert doubt.suggested == LABELS.names[KIND[doubt.place]] and doubt.margin > 0.6
    assert score(near, wrong, flipped, 0.6) == {"listed": 6, "precision": 1.0, "recall": 1.0}
    assert doubtful_labels(near.places, near.scores, LABELS) == []


def test_pictures_without_a_label_neither_vote_nor_are_doubted() -> None:
    near = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
    labels = Labels(np.array([0, 1, UNLABELLED, UNLABELLED]), ("cat", "dog"))
    doubts = doubtful_labels(near, np.ones((4, 3)), labels)
    assert [(doubt.place, doubt.own, doubt.other) for doubt in doubts] == [(0, 0.0, 1.0), (1, 0.0, 1.0)]


def test_what_is_far_from_everything_is_unusual() -> None:
    vectors = VECTORS.copy()
    vectors[17] = [0, 0, 0, 1, -1, 1, -1, 1]
    assert unusual_order(find_neighbours(vectors, 120, 10).scores)[0] == 17
    near = covered(vectors, [0, 40, 80], 0.7)
    assert not near[17] and near[[0, 40, 80]].all() and near.mean() > 0.9


def test_a_line_for_each_label() -> None:
    labels = Labels(np.array([0, 0, 1, UNLABELLED]), ("cat", "dog"))
    near = np.array([[1, 2], [0, 3], [0, 1], [0, 1]])
    lines = by_label(labels, near, np.array([True, False, True, True]), [])
    told = [(each.label, each.pictures, each.same, each.confused_with, each.covered) for each in lines]
    assert told == [("dog", 1, 0.0, "cat", 1.0), ("cat", 2, pytest.approx(2 / 3), "dog", 0.5)]


def test_a_collection_is_examined(greys: Collection) -> None:  # noqa: F811
    store, version = greys.live  # noqa: F811
    found = examine(store, version, version.manifest.encoder(), ["artist", "style"], clusters=3)
    assert sorted(found.ids) == sorted(IDS) and found.total == 12
    members = [sorted(IDS.index(found.ids[at]) for at in cluster.members) for cluster in found.clusters]
    assert all(some == list(range(some[0], some[-1] + 1)) for some in members), "grey levels that follow"
    assert [each.field for each in found.fields] == ["artist", "style"] and 0 < found.covered <= 1
    assert examine(store, version, version.manifest.encoder(), [], limit=5).ids == sorted(IDS)[:5]


def test_the_job_keeps_a_page_and_writes_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.store import open_store

    home = str(tmp_path / "home")
    version = fill(open_store(home=home), calibrated=True)
    main(["greys", "--home", home, "--field", "style", "--doubtful", "0.05", "--clusters", "2"])
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert sum(size for _, size in told["clusters"]) == 12 and told["doubtful"].keys() == {"style"}
    page, pictures, doubtful = (Path(file) for file in told["files"])
    kept = open_store(home=home).attachment(version, PAGE)
    assert kept == page.read_bytes() and b"Most unusual" in kept and kept.count(b"<section") == 2
    assert set(pq.read_table(pictures).column_names) == {"id", "cluster", "name", "typical", "unusual"}
    assert pq.read_table(doubtful).num_rows == told["doubtful"]["style"]
    for wrong, said in (
        (["--field", "colour"], "no filter field 'colour'"),
        (["--clusters", "0"], "--clusters is 0; it must be 1 or more"),
        (["--output", "here"], "give an absolute folder or a URL"),
    ):
        with pytest.raises(SystemExit, match="1"):
            main(["greys", "--home", home, *wrong])
        assert said in capsys.readouterr().err


def test_two_pictures_are_too_few(greys: Collection) -> None:  # noqa: F811
    store, version = greys.live  # noqa: F811
    with pytest.raises(SimileError, match="insights compare them and need three"):
        examine(store, version, version.manifest.encoder(), [], limit=2)
