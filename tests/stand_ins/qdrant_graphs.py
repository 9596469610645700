"""Graphs of the stand-in's collections: none is built, but it says what a server says of them."""

import uuid
from typing import TYPE_CHECKING, Any

from qdrant_client import models

if TYPE_CHECKING:
    from tests.stand_ins.qdrant import QdrantStandIn

__all__ = ["change_graphs", "optimizations", "scanned"]


def scanned(created: models.CreateCollection) -> set[str]:
    """Vectors without a graph."""
    vectors = created.vectors if isinstance(created.vectors, dict) else {}
    return {name for name, of in vectors.items() if of.hnsw_config and of.hnsw_config.m == 0}


def change_graphs(state: "QdrantStandIn", name: str, changes: dict[str, models.VectorParamsDiff]) -> None:
    """Take over an update of a collection's vectors."""
    created = state.created[name]
    vectors = dict(created.vectors)  # type: ignore[arg-type]
    for vector, change in changes.items():
        params = vectors[vector]
        graph = (params.hnsw_config or models.HnswConfigDiff()).model_dump(exclude_none=True)
        told = change.hnsw_config.model_dump(exclude_none=True) if change.hnsw_config else {}
        vectors[vector] = params.model_copy(update={"hnsw_config": models.HnswConfigDiff(**(graph | told))})
    state.created[name] = created.model_copy(update={"vectors": vectors})


def optimizations(state: "QdrantStandIn", body: dict, name: str) -> Any:
    """What runs and is queued; see `QdrantStandIn.optimizes`."""
    points = state.client.count(name).count if state.building.get(name) else 0
    segment = {"uuid": str(uuid.UUID(int=1)), "points_count": points}
    summary = {"queued_optimizations": int(points > 0), "queued_segments": int(points > 0)}
    queued = [{"optimizer": "indexing", "segments": [segment]}] if points else []
    tree = {"name": "indexing", "started_at": "2026-01-01T00:00:00Z"}
    running = {
        "uuid": str(uuid.UUID(int=2)),
        "optimizer": "indexing",
        "status": "optimizing",
        "progress": tree,
    }
    return {
        "summary": summary | {"queued_points": points, "idle_segments": 1},
        "running": [running | {"segments": [segment]}] if points and state.optimizes else [],
        "queued": queued,
    }
