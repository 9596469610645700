"""Recall by distance, by hand and against a search that is known to miss."""

import uuid
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig, QuantizationConfig, SearchConfig
from pipeline.index_quality.recall import (
    Queries,
    check_version,
    count_found,
    exact_scores,
    measure,
    resident_of,
)
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.manifest import EncoderEntry
from pipeline.store.protocol import vector_params

EXACT = SearchConfig().to_qdrant(11, exact=True)
CONFIG = CollectionConfig(
    collection="things",
    source="x",
    encoders=[EncoderConfig(name="e:cnn", vector="cnn")],
    quantization=QuantizationConfig(kind="binary"),
)


def filled(folder: Path, vectors: np.ndarray) -> tuple[EmbeddedStore, list[str]]:
    store = EmbeddedStore(folder)
    ids = [str(uuid.UUID(int=i)) for i in range(len(vectors))]
    size = vectors.shape[1]
    store.create("v", CONFIG, vector_params(CONFIG, {"cnn": size}, {"cnn_code": size}), {})
    codes = np.where(vectors >= 0, 1, -1).astype(np.float32)
    store.upsert("v", ids, {"cnn": vectors, "cnn_code": codes}, [{}] * len(ids))
    store.finish("v")
    return store, ids


@pytest.fixture(scope="module")
def random_points(tmp_path_factory: pytest.TempPathFactory) -> tuple[EmbeddedStore, list[str], np.ndarray]:
    """2,600 × 100 floats: large enough for a graph and codes, without any structure that would help them."""
    vectors = np.random.default_rng(0).normal(size=(2600, 100)).astype(np.float32)
    return *filled(tmp_path_factory.mktemp("store"), vectors), vectors


def test_of_equal_distances_any_is_as_good_as_another() -> None:
    assert count_found(np.array([0.9, 0.8, 0.8, 0.7]), last=0.8) == 3
    assert count_found(np.array([0.9, 0.8 - 1e-7]), last=0.8) == 2  # rounding is no miss
    assert count_found(np.array([6.0, 4.0, 2.0]), last=4.0) == 2


def test_a_query_is_held_out_of_its_own_results(tmp_path: Path) -> None:
    """Four corners of a square: the nearest others of a corner are its two neighbours, at cosine 0."""
    store, ids = filled(tmp_path, np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32))
    queries = Queries("cnn", np.array([[1, 0]], np.float32), ids[:1])
    (found,) = exact_scores(store, "v", queries, EXACT, k=2)
    assert found == pytest.approx({ids[1]: 0, ids[3]: 0}, abs=1e-6)
    assert measure(store, "v", queries, [found], EXACT, k=2).recall == 1


def test_exact_search_finds_everything_and_one_bit_without_rescoring_does_not(
    random_points: tuple[EmbeddedStore, list[str], np.ndarray],
) -> None:
    store, ids, vectors = random_points
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = Queries("cnn", unit[:30], ids[:30])
    truth = exact_scores(store, "v", queries, EXACT)
    scores = unit[0] @ unit.T
    assert set(truth[0]) == {ids[i] for i in np.argsort(-scores)[1:11]}
    assert measure(store, "v", queries, truth, EXACT).recall == 1
    blunt = measure(store, "v", queries, truth, SearchConfig(rescore=False).to_qdrant(11))
    sharp = measure(store, "v", queries, truth, SearchConfig(oversampling=32, hnsw_ef=512).to_qdrant(11))
    top = np.array([np.argsort(-(unit[i] @ unit.T))[1:11] for i in range(30)])
    signs = np.where(unit >= 0, 1, -1)
    guess = np.array([np.argsort(-(unit[i] @ signs.T), kind="stable") for i in range(30)])
    rough = np.mean(
        [
            len(set(a) & set([j for j in b if j != i][:10])) / 10
            for i, (a, b) in enumerate(zip(top, guess, strict=True))
        ]
    )
    assert blunt.recall == pytest.approx(rough, abs=0.1)  # numpy ranks by the same signs
    assert blunt.recall < 0.8 < 0.95 < sharp.recall


def test_the_check_measures_a_version_and_warns(
    random_points: tuple[EmbeddedStore, list[str], np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    store, _, _ = random_points
    entry = EncoderEntry(name="e:cnn", vector="cnn", code="cnn_code", prepared_dimension=100, code_bits=100)
    config = CONFIG.model_copy(update={"search": SearchConfig(oversampling=1, min_recall=0.99)})
    measured = check_version(store, "v", entry, config)
    assert measured.cosine and measured.hamming and measured.bytes
    assert measured.queries == 500
    assert 0.2 < measured.cosine.recall < 0.99
    assert measured.hamming.recall > 0.8
    assert measured.cosine.ms > 0
    assert (measured.cosine.path, measured.hamming.path) == ("scan", "scan")
    size = measured.bytes
    assert (size.vector, size.code, size.found_in) == (16, 16, "files")
    assert size.total == pytest.approx(32 + size.links, abs=0.2)
    assert "is below min_recall 0.99" in (said := capsys.readouterr().err)
    assert "by comparing every code" in said


def test_a_version_of_one_point_has_nothing_to_measure(tmp_path: Path) -> None:
    store, _ = filled(tmp_path, np.ones((1, 4), np.float32))
    entry = EncoderEntry(name="e:cnn", vector="cnn", code="cnn_code", prepared_dimension=4, code_bits=4)
    measured = check_version(store, "v", entry, CONFIG)
    assert (measured.queries, measured.cosine) == (0, None)


def test_payload_indexes_count_as_ram(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    kinds = {"year": models.PayloadSchemaType.INTEGER, "label": models.PayloadSchemaType.KEYWORD}
    store.create("v", CONFIG, vector_params(CONFIG, {"cnn": 4}, {"cnn_code": 4}), kinds)
    rows = np.ones((2, 4), np.float32)
    ids = [str(uuid.UUID(int=at)) for at in range(2)]
    store.upsert("v", ids, {"cnn": rows, "cnn_code": rows}, [{"year": 1900, "label": "a"}] * 2)
    store.finish("v")
    entry = EncoderEntry(name="e:cnn", vector="cnn", code="cnn_code", prepared_dimension=4, code_bits=4)
    size = resident_of(store, "v", entry, CONFIG)
    assert size.payload == 118 + 28
    assert size.total == pytest.approx(size.vector + size.code + size.links + size.payload, abs=0.2)
