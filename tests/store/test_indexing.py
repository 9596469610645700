"""A server's version is ready when its graph is, and not at the first GREEN."""

import logging

import pytest
from qdrant_client import QdrantClient, models

from pipeline.errors import SimileError
from pipeline.store.server_indexing import index_state, wait_until_indexed

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


def looks_until_ready(*infos: models.CollectionInfo, patience: float = 60) -> tuple[int, int]:
    """Looks and starts until the wait ended; it must end by itself with the last of the answers."""
    answers, starts = iter(infos), []
    done = []

    def look() -> models.CollectionInfo:
        done.append(next(answers))
        return done[-1]

    wait_until_indexed(look, lambda: starts.append(1), patience, "http://there", pause=0)
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
    assert caplog.messages == [
        "The Qdrant server at http://there has built no index; searches compare everything."
    ]


def test_failed_optimizers_are_one_sentence() -> None:
    failed = seen(30_000, status=Status.RED).model_copy(
        update={"optimizer_status": models.OptimizersStatusOneOf1(error="no space left on device")}
    )
    with pytest.raises(
        SimileError, match=r"^The Qdrant server at http://there could not build the index: no s"
    ):
        looks_until_ready(failed)
