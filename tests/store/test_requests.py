"""Writes to a server are cut to size, and repeated while it is busy or away."""

import itertools

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.store import open_store
from pipeline.store._requests import REQUEST_BYTES, REQUEST_POINTS, payload_bytes, request_slices
from pipeline.store.protocol import vector_params
from qdrant_config import CollectionConfig, EncoderConfig
from tests.stand_ins.qdrant import Fault, QdrantStandIn

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
ID = "00000000-0000-0000-0000-000000000001"


def cut(sizes: list[int]) -> list[tuple[int, int]]:
    return [(part.start, part.stop) for part in request_slices(sizes)]


def test_requests_stay_below_bytes_and_points() -> None:
    assert cut([]) == []
    assert cut([5 * 2**20, 2 * 2**20, 4 * 2**20]) == [(0, 2), (2, 3)]
    assert cut([REQUEST_BYTES * 2]) == [(0, 1)]  # one point cannot be cut
    assert cut([1] * (REQUEST_POINTS + 1)) == [(0, REQUEST_POINTS), (REQUEST_POINTS, REQUEST_POINTS + 1)]


def test_the_thumbnail_is_what_counts() -> None:
    assert payload_bytes({"_simile": {"thumbnail": "x" * 5000}}) >= 5000


@pytest.mark.parametrize("fault", ["500", "429", "drop", "stall"])
def test_a_passing_fault_costs_nothing_but_time(fault: Fault) -> None:
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
        faults = itertools.chain([fault, fault], itertools.repeat(None))
        server.fault = lambda method, path: next(faults) if method == "PUT" else None
        store.upsert("things__1", [ID], {"cnn": np.ones((1, 2), np.float32)}, [{}])
        server.fault = lambda method, path: None
        assert store.count("things__1") == 1


def test_a_store_that_stays_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMILE_STORE_PATIENCE", "1")
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
        server.fault = lambda method, path: "500" if method == "PUT" else None
        with pytest.raises(SimileError, match=r"answered 500 for 1 s\. What is staged stays; run the same"):
            store.upsert("things__1", [ID], {"cnn": np.ones((1, 2), np.float32)}, [{}])


def test_a_wrong_request_is_not_repeated() -> None:
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        seen: list[str] = []
        server.fault = lambda method, path: seen.append(path)  # type: ignore[func-returns-value]
        with pytest.raises(Exception, match="404"):
            store.delete("things__nowhere", [ID])
        assert len(seen) == 1
