"""Which encoders and protocols are measured on a source; the vectors are drawn at random, not embedded."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from pipeline.config import ProjectionConfig
from pipeline.errors import SimileError
from pipeline.evaluation.labels import encode_labels
from pipeline.evaluation.pool import Pool
from pipeline.evaluation.run import measure_pool
from ray_jobs import evaluate

OURS, BASELINE = "weights:cifar10-cnn", "pypi:efficientnet-lite0"
TRAIN, TEST = 60, 20
BITS = {OURS: 48, BASELINE: 0}


def drawn(encoders: Sequence[str], missing: int = 0) -> Pool:
    """Ten classes; raw outputs of eight numbers, and of ours a code."""
    rng = np.random.default_rng(0)
    labels = encode_labels([i % 10 for i in range(TRAIN + TEST)])
    raw = {name: rng.normal(size=(TRAIN + TEST, 8 + BITS[name])).astype(np.float16) for name in encoders}
    return Pool({"label": labels}, (), TRAIN, missing, raw)


def keys(results: list[dict[str, Any]], encoder: str) -> list[str]:
    return [result["key"] for result in results if result["encoder"] == encoder]


def test_what_the_networks_saw_is_not_said_of_the_baseline() -> None:
    pool, wanted = drawn([OURS, BASELINE]), ["c", "unseen-database", "unseen-classes"]
    plain = ProjectionConfig(kind="none")
    results = measure_pool(pool, [OURS, BASELINE], wanted, "unseen-classes", plain, BASELINE)
    assert keys(results, OURS) == wanted
    results = measure_pool(pool, [OURS, BASELINE], wanted, "train", plain, BASELINE)
    assert keys(results, OURS) == ["c", "unseen-database"]
    assert keys(results, BASELINE) == wanted
    assert {r["trained_on"] for r in results if r["encoder"] == BASELINE} == {"elsewhere"}
    methods = {row["method"] for r in results if r["encoder"] == BASELINE for row in r["rows"]}
    assert {"raw cosine", "cosine", "classifier's label as code"} <= methods


def test_a_draw_from_another_pool_than_trainings_is_refused() -> None:
    with pytest.raises(SimileError, match="1 pictures of the source have no vector"):
        measure_pool(drawn([OURS], missing=1), [OURS], ["a"], "a")


@pytest.mark.parametrize(
    ("more", "measured"),
    [
        ((), {OURS, BASELINE}),
        (("--baseline", "none"), {OURS}),
        (("--encoder", BASELINE), {OURS, BASELINE}),
    ],
)
def test_a_pretrained_network_is_measured_beside_ours_unless_it_is_left_out(
    more: tuple[str, ...],
    measured: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,
) -> None:
    import pipeline.evaluation.pool as reading

    asked: list[str] = []

    def read_pool(
        collection: str, splits: Any, encoders: Sequence[str], fields: Any, home: str, limit: int | None
    ) -> Pool:
        asked.extend(encoders)
        return drawn(encoders)

    monkeypatch.setattr(reading, "read_pool", read_pool)
    monkeypatch.setattr(reading, "resolve_splits", lambda source, split: [])
    monkeypatch.setattr(evaluate, "ray_session", nullcontext)
    arguments = ["shades", "--source", "x", "--fields", "label", "--protocol", "c", "--encoder", OURS]
    evaluate.main([*arguments, "--home", str(tmp_path), *more])
    told = capsys.readouterr().err
    assert set(asked) == measured and len(asked) == len(measured)
    assert (f"beside them: {BASELINE}, one more pass" in told) == (more == ())
    assert f"· {OURS}" in told and (f"· {BASELINE}" in told) == (BASELINE in measured)


def test_a_limit_would_draw_other_queries_than_training_kept_apart(
    capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    arguments = ["shades", "--source", "x", "--encoder", OURS, "--protocol", "a", "--trained-on", "b"]
    with pytest.raises(SystemExit):
        evaluate.main([*arguments, "--limit", "9", "--home", str(tmp_path)])
    assert "leave out --limit" in capsys.readouterr().err


def test_a_network_trained_on_protocol_a_is_measured_by_a_and_b_alone() -> None:
    rng = np.random.default_rng(0)
    labels = encode_labels([i % 10 for i in range(6010)])
    raw = {OURS: rng.normal(size=(6010, 8 + BITS[OURS])).astype(np.float16)}
    results = measure_pool(
        Pool({"label": labels}, (), 5000, 0, raw),
        [OURS],
        ["a", "b", "c", "unseen-database"],
        "a",
        ProjectionConfig(kind="none"),
    )
    assert keys(results, OURS) == ["a", "b"]
    assert results[0]["counts"] == {"queries": 1000, "training": 5000, "database": 10}
    assert results[1]["counts"] == {"queries": 1000, "training": 5000, "database": 5010}
