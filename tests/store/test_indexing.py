"""A server's version is ready when its graph is, and not at the first GREEN."""

import logging
import uuid
from collections.abc import Iterable
from itertools import chain, repeat

import pytest
from qdrant_client import QdrantClient, models

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.store.protocol import vector_params
from pipeline.store.server_indexing import by_segment, index_state, threshold_kb, wait_until_indexed

Status = models.CollectionStatus
KB = 1024  # bytes of the vector below


def seen(
    points: int | None,
    indexed: int | None = 0,
    segments: int = 1,
    status: Status = Status.GREEN,
    graph: models.HnswConfigDiff | None = None,
) -> models.CollectionInfo:
    """A collection of vectors of 1 KB with codes of a quarter of that; a graph is for more than 10,000 KB."""
    client = QdrantClient(":memory:")
    client.create_collection(
        "things",
        vectors_config={
            "v": models.VectorParams(size=KB // 4, distance=models.Distance.COSINE, hnsw_config=graph),
            "v_code": models.VectorParams(
                size=KB // 8, distance=models.Distance.DOT, datatype=models.Datatype.FLOAT16
            ),
        },
    )
    counts = {"points_count": points, "indexed_vectors_count": indexed, "segments_count": segments}
    return client.get_collection("things").model_copy(update=counts | {"status": status})


@pytest.mark.parametrize(
    ("info", "state"),
    [
        (seen(10_000), "needless"),
        (seen(20_001, segments=2), "missing"),  # one of two segments has more than 10,000 KB
        (seen(20_000, segments=2), "unknown"),  # both may have exactly 10,000 KB
        (seen(20_001, indexed=1), "unknown"),  # begun; a small segment is scanned for ever
        (seen(20_001, indexed=40_002), "built"),  # vectors and codes
        (seen(20_001, graph=models.HnswConfigDiff(m=0)), "unknown"),  # codes of 5,000 KB; vectors without
        (seen(None), "unknown"),
        (seen(20_001, indexed=None), "unknown"),
    ],
)
def test_counts_say_whether_the_graph_is_there(info: models.CollectionInfo, state: str) -> None:
    assert index_state(info) == state


def doing(running: int = 0, queued: int = 0) -> models.OptimizationsResponse:
    """What `/optimizations` says of so many points."""
    segment = {"uuid": str(uuid.UUID(int=1)), "points_count": running}
    at_work = {
        "uuid": str(uuid.UUID(int=2)),
        "optimizer": "indexing",
        "status": "optimizing",
        "segments": [segment],
        "progress": {"name": "indexing"},
    }
    summary = {"queued_optimizations": 1, "queued_segments": 1, "queued_points": queued, "idle_segments": 0}
    told = {"summary": summary, "running": [at_work] if running else []}
    return models.OptimizationsResponse.model_validate(told)


def looks_until_ready(
    *infos: models.CollectionInfo,
    patience: float = 60,
    optimizations: Iterable[models.OptimizationsResponse] = (),
) -> tuple[int, int]:
    """Looks and starts until the wait ended; it must end by itself with the last of the answers."""
    answers, starts = iter(infos), []
    work = chain(optimizations, repeat(doing(running=1)))
    done = []

    def look() -> models.CollectionInfo:
        done.append(next(answers))
        return done[-1]

    wait_until_indexed(look, lambda: starts.append(1), lambda: next(work), patience, "http://there", pause=0)
    return len(done), len(starts)


def test_a_small_version_is_ready_at_once() -> None:
    assert looks_until_ready(seen(24)) == (1, 1)


def test_green_before_the_optimizers_have_begun_is_not_ready() -> None:
    green, busy, built = seen(30_000), seen(30_000, status=Status.YELLOW), seen(30_000, indexed=60_000)
    assert looks_until_ready(green, green, green, busy, built) == (5, 1)


def test_without_counts_two_greens_in_a_row_are_asked_for() -> None:
    green, busy = seen(None), seen(None, status=Status.YELLOW)
    assert looks_until_ready(green, busy, green, green) == (4, 1)


def test_optimizers_that_are_paused_are_started_again() -> None:
    assert looks_until_ready(seen(30_000, status=Status.GREY), seen(30_000, indexed=60_000)) == (2, 2)


def test_a_server_that_never_indexes_ends_the_wait_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "simile"):
        assert looks_until_ready(seen(30_000), patience=0) == (1, 1)
    assert "http://there has run no optimization for 0 s, so it has not built" in caplog.text
    assert "can be searched, but slower" in caplog.text


YELLOW = seen(30_000, status=Status.YELLOW)


def test_yellow_for_ever_without_an_optimization_ends_the_wait(caplog: pytest.LogCaptureFixture) -> None:
    """`max_optimization_threads: 0`: what is to be done is queued, and nobody does it."""
    with caplog.at_level(logging.WARNING, "simile"):
        looks, _ = looks_until_ready(
            *[YELLOW] * 10_000, patience=0.05, optimizations=repeat(doing(queued=30_000))
        )
    assert 1 < looks < 10_000
    assert "has run no optimization for 0 s with 30,000 points left" in caplog.text


def test_an_optimization_that_runs_is_waited_for_whatever_its_time(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    work = [doing(running=20_000, queued=10_000), doing(running=10_000)]
    infos = [YELLOW, YELLOW, seen(30_000, indexed=60_000)]
    assert looks_until_ready(*infos, patience=0, optimizations=work) == (3, 1)
    assert not caplog.messages
    assert "30000/30000" in capsys.readouterr().err


@pytest.mark.parametrize(("shards", "share"), [(1, 25_000), (6, 4166)])
def test_what_is_scanned_is_shared_among_segments(shards: int, share: int) -> None:
    """A server compares the threshold with each segment: of 100 MB in 12 segments none would be walked."""
    config = CollectionConfig(collection="x", source="x", encoders=[EncoderConfig(name="e:v")])
    vectors = by_segment(vector_params(config, {"v": 512}, {"v_code": 512}), shards)
    assert {of.hnsw_config.full_scan_threshold for of in vectors.values() if of.hnsw_config} == {share}
    assert threshold_kb(vectors) == min(10_000, share)  # and a segment of that size is built


def test_failed_optimizers_are_one_sentence() -> None:
    failed = seen(30_000, status=Status.RED).model_copy(
        update={"optimizer_status": models.OptimizersStatusOneOf1(error="no space left on device")}
    )
    with pytest.raises(
        SimileError, match=r"^The Qdrant server at http://there could not build the index: no s"
    ):
        looks_until_ready(failed)
