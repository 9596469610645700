"""Answers of an engine that is made up, so that every one of them is known."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipeline.errors import ImageError
from pipeline.evaluation import engine as measured
from pipeline.evaluation.engine import engine_scores, source_queries
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


class Embedding:
    """The mean colour of pictures; one that is no picture spoils the call."""

    def embed(self, pictures: list[bytes], encoder: str) -> np.ndarray:
        try:
            images = [Image.open(io.BytesIO(data)) for data in pictures]
        except OSError as error:
            raise ImageError("no picture") from error
        return np.array([np.asarray(image).mean((0, 1)) for image in images])


def test_pictures_that_cannot_be_read_ask_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def png(value: int) -> bytes:
        file = io.BytesIO()
        Image.new("RGB", (2, 2), (value, 0, 0)).save(file, "PNG")
        return file.getvalue()

    class Rows:
        def iter_batches(self, **_: Any) -> list[pa.Table]:
            return [pa.table({"at": [[1, 2, 3, 4], [5, 6]][batch]}) for batch in range(2)]

    files = {1: png(1), 2: None, 3: b"broken", 4: png(4), 5: png(5), 6: png(6)}
    monkeypatch.setattr("pipeline.sources.resolve_source", lambda *_, **__: None)
    monkeypatch.setattr("pipeline.sources.read_rows", lambda *_, **__: Rows())
    monkeypatch.setattr(
        "pipeline.sources.image_bytes", lambda batch: [files[at] for at in batch["at"].to_pylist()]
    )
    monkeypatch.setattr("pipeline.sources.decode_payload", lambda _, batch: batch.to_pylist())
    said: list[str] = []
    monkeypatch.setattr(measured, "say", said.append)
    collection: Any = Embedding()
    asked = list(source_queries(collection, "e", "x", "test", None))
    assert [(vector[0], payload["at"]) for vector, payload in asked] == [(1, 1), (4, 4), (5, 5), (6, 6)]
    assert said == ["left out as a query: no picture"]
