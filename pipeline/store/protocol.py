"""What Simile asks of a store, in the words of `qdrant_client.models`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from qdrant_client import models

from pipeline.config import CollectionConfig
from pipeline.config.memory import placed
from pipeline.images.palette import BINS, COLOUR_VECTOR
from pipeline.store.field_paths import FieldName
from pipeline.store.manifest import Manifest

__all__ = ["Resident", "Store", "VectorQuery", "vector_params"]


def vector_params(
    config: CollectionConfig,
    dimensions: dict[str, int],
    codes: dict[str, int],
    points: int | None = None,
    *,
    colours: bool = False,
) -> dict[str, models.VectorParams]:
    """Named vectors of a version: a cosine vector per encoder, and a ±1 code compared by dot product.

    Args:
        config: of the collection.
        dimensions: vector -> components.
        codes: code -> bits.
        points: how many the version is made for, as few have no graph; None: enough for one.
        colours: it also has the colours of each picture (`pipeline.images.palette`).

    The dot product of two ±1 vectors of D components is D − 2h for Hamming distance h, so h is exact
    with and without rescoring.
    """
    memory = config.memory
    codes_kept, graph_kept = models.Memory(memory.codes), models.Memory(memory.graph)
    one_bit = models.BinaryQuantization(
        binary=models.BinaryQuantizationConfig(**placed(codes_kept, "always_ram"))
    )

    def graph(size: int) -> models.HnswConfigDiff:
        return models.HnswConfigDiff(
            m=config.hnsw.m,
            ef_construct=config.hnsw.ef_construct,
            payload_m=config.hnsw.payload_m,
            full_scan_threshold=config.hnsw.scan_kb(points, size),
            **placed(graph_kept),
        )

    none = models.HnswConfigDiff(m=0, full_scan_threshold=config.hnsw.full_scan_kb)
    codes_walked = points is None or config.hnsw.over_codes(points)
    params = {
        name: models.VectorParams(
            size=size,
            distance=models.Distance.COSINE,
            **placed(memory.of_vectors(config.quantization.kind != "none")),
            hnsw_config=graph(size) if points is None or config.hnsw.over_vectors(points, size) else none,
            quantization_config=config.quantization.to_qdrant(codes_kept),
        )
        for name, size in dimensions.items()
    }
    for name, size in codes.items():
        params[name] = models.VectorParams(
            size=size,
            distance=models.Distance.DOT,
            **placed(memory.of_vectors(quantized=True)),
            datatype=models.Datatype.FLOAT16,  # ±1 is exact in half precision
            hnsw_config=graph(size) if codes_walked else none,
            quantization_config=one_bit,
        )
    if colours:
        params[COLOUR_VECTOR] = models.VectorParams(
            size=BINS,
            distance=models.Distance.DOT,  # of length 1 they come; a store that scales them rounds them again
            **placed(memory.of_vectors(quantized=False)),
            datatype=models.Datatype.FLOAT16,
            hnsw_config=graph(BINS) if points is None or config.hnsw.over_vectors(points, BINS) else none,
        )
    return params


@dataclass(frozen=True)
class Resident:
    """Bytes of RAM for all points of one named vector: quantized codes (0: none), and the graph's links."""

    codes: int
    links: int


VectorQuery = np.ndarray | models.NearestQuery | models.RecommendQuery


class Store(Protocol):
    """Both stores do this and nothing else.

    Embedded versions are written once, finished, then only read; additions go to a copy. A server takes
    additions in place. Fields are named as in the source; what is in `qdrant_client.models` is Qdrant's own,
    whose keys are JSON paths (`field_paths.json_path`).
    """

    parallel_writes: bool  # may several processes write one version at once?
    in_place: bool  # may a finished version that is being read take more points?
    address: str  # for messages and reports; never holds a secret
    engine: str  # what answers, with its version

    def aliases(self) -> dict[str, str]:
        """Alias -> version that it names now."""

    def versions(self, alias: str) -> list[str]:
        """All versions of `alias`, oldest first, finished or not."""

    def check(self, alias: str) -> None:
        """Before work for `alias` begins: could it end?

        Raises:
            SimileError: a collection has this name, or a part of the live version does not answer.
        """

    def check_whole(self, version: str) -> None:
        """Before the first write and before the switch: are all parts of the version there?

        Raises:
            SimileError: naming the parts that are not.
        """

    def create(
        self,
        version: str,
        config: CollectionConfig,
        vectors: dict[str, models.VectorParams],
        payload_indexes: dict[str, models.PayloadSchemaType],
    ) -> None:
        """An empty version with its payload indexes, ready for points."""

    def add_indexes(
        self, version: str, config: CollectionConfig, payload_indexes: dict[str, models.PayloadSchemaType]
    ) -> None:
        """Index more payload fields, or one in another way; points that are there are indexed as well."""

    def upsert(
        self,
        version: str,
        ids: Sequence[str],
        vectors: dict[str, np.ndarray],
        payloads: Sequence[dict[str, Any]],
    ) -> None:
        """Write points: `vectors[name]` is (N, D) float32; the same id again replaces the point."""

    def copy(self, version: str, copy: str) -> None:
        """A new unfinished version with the points of a finished one; only where `in_place` is False."""

    def delete(self, version: str, ids: Sequence[str]) -> None:
        """Remove points; unknown ids are no error."""

    def set_graphs(
        self, version: str, config: CollectionConfig, vectors: dict[str, models.VectorParams]
    ) -> None:
        """Give the vectors of a version the graphs of `vectors`, once it is finished (again)."""

    def flush(self, version: str) -> None:
        """What was written to an unfinished version survives a crash from now on."""

    def finish(self, version: str) -> None:
        """Make everything durable and build the index; returns when queries can use it."""

    def finished(self, versions: Sequence[str], *, patient: bool = True) -> set[str]:
        """Those of `versions` that have a manifest: it is the last thing that is written.

        Not `patient`: what cannot be read at once is left out, with a line in the log. For lists only.
        """

    def write_manifest(self, version: str, manifest: Manifest) -> None: ...

    def read_manifest(self, version: str) -> Manifest: ...

    def attach(self, version: str, name: str, data: bytes) -> None:
        """Keep `data` beside a version under a plain name (`map.safetensors`); the same name replaces it."""

    def attachment(self, version: str, name: str) -> bytes | None:
        """What `attach` kept, or None."""

    def attachments(self, version: str) -> list[str]:
        """Names of all that `attach` kept, sorted."""

    def payload_indexes(self, version: str) -> dict[str, models.PayloadSchemaType]:
        """The payload indexes that the version was created with."""

    def switch(self, alias: str, version: str) -> None:
        """Point the alias at `version` in one step."""

    def release(self, version: str) -> None:
        """Let go of what is open of a version; queries that are under way still end well."""

    def drop(self, version: str) -> None:
        """Delete a version that no alias names."""

    def count(self, version: str, query_filter: models.Filter | None = None, exact: bool = True) -> int:
        """Number of points; not `exact`: about so many, without a look at each."""

    def query(
        self,
        version: str,
        query: VectorQuery,
        *,
        using: str,
        limit: int,
        query_filter: models.Filter | None = None,
        params: models.SearchParams | None = None,
        score_threshold: float | None = None,
        with_vectors: list[str] | None = None,
        fields: Sequence[FieldName] | None = None,
    ) -> list[models.ScoredPoint]:
        """The nearest points with the payload `fields` (default: all), best first.

        `query` is a vector (D,) float32; a `NearestQuery` with MMR, whose order is by relevance and diversity
        together; or a `RecommendQuery` over vectors, whose score is Qdrant's own and no similarity. Points
        that score below `score_threshold` are left out.
        """

    def query_many(
        self,
        version: str,
        queries: np.ndarray,
        *,
        using: str,
        limit: int,
        params: models.SearchParams | None = None,
    ) -> list[list[models.ScoredPoint]]:
        """For each of (Q, D) float32 what `query` finds, without payload; sooner than one by one."""

    def retrieve(
        self,
        version: str,
        ids: Sequence[str],
        with_vectors: list[str] | None = None,
        fields: Sequence[FieldName] | None = None,
    ) -> list[models.Record]:
        """Points by id with the payload `fields` (default: all); unknown ids are left out."""

    def scroll(
        self,
        version: str,
        limit: int,
        offset: str | None = None,
        with_vectors: list[str] | None = None,
        fields: Sequence[FieldName] | None = None,
        query_filter: models.Filter | None = None,
        order_by: models.OrderBy | None = None,
    ) -> list[models.Record]:
        """Points in the order of their ids, from `offset` on, with the payload `fields` (default: all).

        With `order_by`, which excludes an offset: those that have this field, in the order of its values.
        """

    def facet(
        self,
        version: str,
        key: str,
        limit: int,
        query_filter: models.Filter | None = None,
        exact: bool = True,
    ) -> list[tuple[Any, int]]:
        """Values of an indexed payload field with their counts, most frequent first; not `exact`: sooner."""

    def allows_exact(self, version: str) -> bool:
        """Whether searches may be exact: a server can forbid it."""

    def most_ids(self, version: str) -> int | None:
        """How many ids a filter may name beside its other conditions; None: as many as wanted."""

    def writers(self, version: str) -> int:
        """How many processes may write a version at once."""

    def payload_index_bytes(self, version: str) -> int | None:
        """RAM that all payload indexes of a version take; None where the store cannot tell."""

    def resident_bytes(self, version: str) -> dict[str, "Resident"] | None:
        """What each named vector keeps in RAM once the version is finished; None where it cannot be known."""
