"""A collection that grows over the size from which a graph pays gets it with the addition."""

import pytest

from pipeline.config import HnswConfig
from pipeline.store.embedded import EmbeddedStore
from tests.indexing.conftest import COLOURS, Copied, Index, picture
from tests.stand_ins.qdrant import QdrantStandIn

HNSW = HnswConfig(codes_from=25)  # the source has 24 pictures


@pytest.mark.long
@pytest.mark.parametrize("server", [False, pytest.param(True, marks=pytest.mark.long)])
def test_the_picture_that_makes_it_large(
    index: Index, copied: Copied, server: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, source = copied
    told: list[int | None] = []
    set_graphs = EmbeddedStore.set_graphs

    def listen(store, version, config, vectors):  # type: ignore[no-untyped-def]
        told.append(vectors["cnn_code"].hnsw_config.m)
        set_graphs(store, version, config, vectors)

    monkeypatch.setattr(EmbeddedStore, "set_graphs", listen)
    with QdrantStandIn() as stand_in:

        def run() -> int:
            url = stand_in.url if server else None
            return index(home, source, url=url, hnsw=HNSW).written

        def graphs() -> list[int | None]:
            bodies = [body for found in stand_in.updated.values() for body in found if "vectors" in body]
            return told + [body["vectors"]["cnn_code"]["hnsw_config"]["m"] for body in bodies]

        assert run() == 24
        assert graphs() == []
        for seed in (98, 99):  # the first one makes it large; the second finds the graph there
            picture(COLOURS["red"], seed).save(source / "red" / f"{seed}.png")
            assert run() == 1
            assert graphs() == [16]
