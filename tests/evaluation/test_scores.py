"""A table row against loops that a reader can follow, and a protocol from a folder of pictures."""

import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.config import ProjectionConfig
from pipeline.evaluation.methods import Method, fit_on, methods_of, prepare
from pipeline.evaluation.pool import Vectors
from pipeline.evaluation.protocols import Protocol, official_test
from pipeline.evaluation.scores import score
from ray_jobs import evaluate


def test_a_row_agrees_with_plain_loops() -> None:
    rng = np.random.default_rng(0)
    vectors, labels = rng.normal(size=(40, 5)).astype(np.float32), rng.integers(0, 3, 40)
    labels[[30, 31]] = -1  # an unlabelled query is left out
    row = score(Method("m", "cosine", vectors), official_test(30, 10), labels)
    firsts, averages = [], []
    for q in range(32, 40):
        cosines = [v @ vectors[q] / np.linalg.norm(v) for v in vectors[:30]]
        hits = [labels[i] == labels[q] for i in np.argsort(cosines)[::-1]]
        firsts.append(hits[0])
        ranks = [rank for rank, hit in enumerate(hits, 1) if hit]
        averages.append(np.mean([(n + 1) / rank for n, rank in enumerate(ranks)]))
    assert row["queries"] == 8 and row["without_relevant"] == 2
    assert row["scores"]["P@1"]["mean"] == pytest.approx(np.mean(firsts), abs=1e-4)
    assert row["scores"]["mAP@all"]["mean"] == pytest.approx(np.mean(averages), abs=1e-4)
    assert "R@100" not in row["scores"]  # the database has thirty pictures


def test_map_is_a_mean_over_queries_and_knows_both_orders_of_ties() -> None:
    # Database codes: two at distance 0 of the first query, one at 1, one at 2; the second query is opposite.
    codes = np.array([[1, 1], [1, 1], [1, -1], [-1, -1], [1, 1], [-1, -1]])
    labels = np.array([0, 1, 1, 0, 0, 0])
    row = score(Method("m", "hamming", codes), official_test(4, 2), labels)["scores"]["mAP@all"]
    # first: relevant at rank 1 or 2, then at rank 4; second: at rank 1, then at rank 3 or 4
    first = {"best": (1 + 2 / 4) / 2, "worst": (1 / 2 + 2 / 4) / 2}
    second = {"best": (1 + 2 / 3) / 2, "worst": (1 + 2 / 4) / 2}
    bounds = {order: (first[order] + second[order]) / 2 for order in first}
    assert row["best"] == pytest.approx(bounds["best"], abs=1e-4)
    assert row["worst"] == pytest.approx(bounds["worst"], abs=1e-4)
    assert row["mean"] == pytest.approx(sum(bounds.values()) / 2, abs=1e-4)  # two orders, each as likely
    assert row["low"] <= row["mean"] <= row["high"]


def test_methods_of_a_hash_network() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(4), 30)
    raw = np.concatenate([rng.normal(size=(4, 64))[labels], np.eye(4)[labels] * 2 - 1], axis=1)
    raw = (raw + 0.01 * rng.normal(size=raw.shape)).astype(np.float32)
    everything = np.arange(120)
    protocol = Protocol("x", "x", everything[:20], everything[20:], everything[20:], "")
    config = ProjectionConfig(dimension=12, whitening=0.75)
    vectors = prepare(raw, 4, fit_on(raw, 4, protocol, config))
    assert vectors.prepared.shape[1] == 12
    assert vectors.embedding is not None and vectors.embedding.shape == (120, 64)
    assert np.array_equal(vectors.codes, np.eye(4)[labels] * 2 - 1)
    methods = list(methods_of(vectors, protocol, {"kind": labels}, short_codes=(8,)))
    assert [(m.name, m.bytes) for m in methods] == [
        ("raw cosine", 128),
        ("cosine", 2 * vectors.prepared.shape[1]),
        ("cosine, CSLS", 2 * vectors.prepared.shape[1]),
        ("trained code, 4 bits", 1),
        (f"signs of vector, {vectors.prepared.shape[1]} bits", -(-vectors.prepared.shape[1] // 8)),
        ("untrained code (ITQ), 8 bits", 1),
        ("classifier's label as code", 1),
    ]
    for method in methods:
        assert score(method, protocol, labels)["scores"]["mAP@all"]["mean"] == pytest.approx(1, abs=0.02)
    assert isinstance(vectors, Vectors)


@pytest.mark.long
def test_named_protocols_of_a_folder_without_an_index(
    ray_here: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (10, 3))
    for split, each in (("train", 4), ("test", 2)):
        for label, colour in enumerate(colours):
            folder = tmp_path / "source" / split / f"class {label}"
            folder.mkdir(parents=True)
            for i in range(each):
                pixels = np.clip(colour + rng.normal(0, 12, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    monkeypatch.setattr(evaluate, "ray_session", nullcontext)
    # Not one of ours: what has seen a class is not asked about unseen ones.
    arguments = ["--encoder", "pypi:efficientnet-lite0@32px", "--protocol", "all", "--baseline", "none"]
    source = ["--source", str(tmp_path / "source"), "--home", str(tmp_path / "h")]
    evaluate.main(["shades", *source, *arguments])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["kept"] is False
    assert [result["protocol"] for result in found["results"]] == [
        "C (20 test queries / 40 training = database)",
        "unseen database (leave-one-out over 20 test pictures, never trained on)",
        "unseen classes 7, 8, 9 (6 test queries / 28 training of the other classes / 12 database)",
    ]
    methods = {row["method"]: row["scores"] for row in found["results"][0]["rows"]}
    assert "classifier's label as code" in methods
    assert methods["raw cosine"]["P@1"]["mean"] > 0.5  # chance is 0.1
