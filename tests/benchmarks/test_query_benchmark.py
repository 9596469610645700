"""The benchmark of queries: what it writes, what it counts as found, and what it refuses."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks import query, query_index, report
from benchmarks.query_index import WAYS, build, queries_of
from benchmarks.query_timing import SEARCHES, RepeatedSearch, recall
from benchmarks.resources import peak_gb, resident_mb, shortage
from pipeline.store.embedded import EmbeddedStore

POINTS, WAY = 1_500, "turbo, 2 bits"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of 1,500 points."""
    there = tmp_path_factory.mktemp("bench")
    build(there, POINTS, WAY)
    return there


def test_both_ways_keep_64_bytes_of_a_vector() -> None:
    kept = {
        way: config.projection.dimension * (config.quantization.bits or 0) / 8 for way, config in WAYS.items()
    }
    # 224 components of 2 bits are 56 bytes; the engine keeps the length of each vector beside them.
    assert kept == {"turbo, 2 bits": 56.0, "binary, 1 bit": 64.0}


def test_every_kind_of_search_is_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "_CALLERS", (1, 2))
    monkeypatch.setattr(RepeatedSearch.throughput, "__defaults__", (0.05,))
    found = query.search_version(folder, POINTS, WAY)
    assert list(found["searches"]) == list(SEARCHES)
    for kind, figures in found["searches"].items():
        assert 0 < figures["p50_ms"] <= figures["p95_ms"]
        assert all(rate > 0 for rate in figures["queries_per_second"].values())
        assert figures.get("recall", 1.0) >= 0.99, kind
    assert found["bytes_a_point"]["v"]["codes"] == 64.0
    two, one = found["filtered"].values()
    assert 0.03 < two["share"] < 0.05 and 0.15 < one["share"] < 0.25
    assert all(of[metric]["recall"] >= 0.99 for of in (two, one) for metric in ("cosine", "hamming"))


def test_a_run_that_is_cut_short_keeps_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(query, "WAYS", {WAY: WAYS[WAY]})
    monkeypatch.setattr(query, "_apart", lambda work, *arguments: work(*arguments))  # seconds of imports each
    too_many = 10**12
    with pytest.raises(
        SystemExit, match=r"^error: 1,000,000,000,000 points need about .* GB are free; ask for"
    ):
        query.main(["--only-filtered", "--points", "500", str(too_many)])
    written = json.loads((tmp_path / "query-filtered.json").read_text())
    assert written["complete"] is False
    assert [result["points"] for result in written["results"]] == [500]
    assert written["ways"][WAY]["projection"]["dimension"] == 224
    assert {"processor", "cores", "versions", "commit"} <= set(written["machine"])
    told = capsys.readouterr()
    assert "two fields ANDed" in told.out
    assert told.err.splitlines()[-1] == f"2 of 2: {too_many:,} points, {WAY} …"


def test_room_is_asked_for_before_anything_is_built(tmp_path: Path) -> None:
    assert shortage(1_000, 512, 512, tmp_path) is None
    assert "of disk in" in str(shortage(10**9, 512, 512, tmp_path))


def test_each_version_is_asked_by_a_process_that_held_nothing_else() -> None:
    assert len({os.getpid(), query._apart(os.getpid), query._apart(os.getpid)}) == 3


def held_mb(size: int) -> tuple[float, float]:
    """How much more is held with an array of so many MB, and the peak."""
    before = resident_mb()["heap"]
    held = np.ones(size * 10**6, np.uint8)
    return resident_mb()["heap"] - before, peak_gb() * 1000 - held.nbytes / 1e6


def test_memory_that_is_held_is_seen() -> None:
    more, others = query._apart(held_mb, 50)  # here, it might be memory that an earlier test gave back
    assert more == pytest.approx(50, abs=10)
    assert others >= 0


def test_recall_counts_distances_and_not_ids() -> None:
    exact = [np.array([0.9, 0.8, 0.8])]
    assert recall(exact, [np.array([0.9, 0.8, 0.8])]) == 1.0
    assert recall(exact, [np.array([0.9, 0.8, 0.7])]) == 0.6667


def test_queries_are_of_the_same_clusters_and_not_in_the_version(folder: Path) -> None:
    store = EmbeddedStore(folder)
    rows, codes = queries_of(POINTS, 20, WAY)
    asker = RepeatedSearch(store, "exact", rows, codes, WAYS[WAY])
    best = np.array([scores[0] for scores in asker.scores(20)])
    strangers = np.random.default_rng(0).normal(size=rows.shape).astype(np.float32)
    far = RepeatedSearch(store, "exact", strangers, codes, WAYS[WAY])
    assert best.max() < 0.999
    assert np.median(best) > np.median([scores[0] for scores in far.scores(20)]) + 0.1
    assert store.count(query_index.VERSION) == POINTS
