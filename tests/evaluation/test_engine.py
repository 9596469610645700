"""Answers of an engine that is made up, so that every one of them is known."""

from typing import Any

import pytest

from pipeline.evaluation.engine import engine_scores
from pipeline.search import Hit


def hit(number: int, distance: float, artist: str | None) -> Hit:
    payload = {"artist": artist}
    return Hit(str(number), 1 - distance, distance, payload, thumbnail=b"")


class Engine:
    """Sixty answers: the nearest by Monet, all others by nobody known."""

    def search_id(self, point: str, metric: str, k: int, **_: Any) -> tuple[list[Hit], None]:
        hits = [hit(0, 0.0, "Monet"), *(hit(i, 0.1 * i, "Unknown Artist") for i in range(1, 60))]
        return hits[:k], None


def test_nobody_known_is_not_one_artist() -> None:
    queries = [("a", {"artist": "Monet"}), ("b", {"artist": "Unknown Artist"}), ("c", {"artist": None})]
    engine: Any = Engine()
    count, scores = engine_scores(engine, queries, ["artist"], True, "e")
    assert count == 3
    assert scores["artist cosine P@1"] == {"mean": 1.0, "low": 1.0, "high": 1.0}  # Monet asks, and alone
    assert scores["artist hamming P@10"]["mean"] == pytest.approx(0.1)
