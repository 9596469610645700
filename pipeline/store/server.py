"""A Qdrant server or cluster, through qdrant-client. Needs Qdrant 1.19 or newer."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models

from pipeline.config import CollectionConfig
from pipeline.errors import SimileError
from pipeline.home import resolve_home
from pipeline.store.field_paths import field_name, json_path
from pipeline.store.manifest import Manifest
from pipeline.store.protocol import Resident
from pipeline.store.server_collections import make_collection, wait_for_shards
from pipeline.store.server_connection import patience_seconds
from pipeline.store.server_errors import ServerError
from pipeline.store.server_indexing import (
    SEGMENTS,
    by_segment,
    graph_changes,
    threshold_kb,
    wait_until_indexed,
    walked,
    with_graph,
)
from pipeline.store.server_manifests import LAYOUT, ServerManifests
from pipeline.store.server_memory import (
    ask_memory,
    payload_index,
    payload_index_bytes,
    payload_storage,
    resident_bytes,
)
from pipeline.store.server_reading import ReadingStore
from pipeline.store.server_requests import FLOAT_BYTES, payload_bytes, request_slices
from pipeline.store.server_strictness import Strictness
from pipeline.store.servers import Servers
from pipeline.store.thumbnail_files import ThumbnailFiles

__all__ = ["ServerStore"]

_LEAST_WRITERS, _MOST_WRITERS = 4, 32


class ServerStore(ReadingStore):
    """Implements `pipeline.store.Store`. A version is a Qdrant collection, an alias is Qdrant's own."""

    parallel_writes = True
    in_place = True

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        patience: float | None = None,
        home: str | None = None,
    ) -> None:
        self.thumbnails = ThumbnailFiles(resolve_home(home))
        self.patience = patience_seconds(patience)
        self.servers = Servers(url, api_key, self.patience)
        self.address = self.servers.address
        self.engine = f"Qdrant {self.servers.version} at {self.servers.shown}"
        self.strictness = Strictness(self.servers)
        self._manifests = ServerManifests(self.servers)
        self._graphs: dict[str, dict[str, models.VectorParams]] = {}  # asked for, and not yet built

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the key: `open_store` takes it from the environment where the pickle is read."""
        from pipeline.store import open_store

        again = partial(open_store, self.thumbnails.home, self.address, patience=self.patience)
        return again, ()

    def aliases(self) -> dict[str, str]:
        """Alias -> version, of everybody who uses the server."""
        found = self.servers.ask(QdrantClient.get_aliases).aliases
        return {alias.alias_name: alias.collection_name for alias in found}

    def versions(self, alias: str) -> list[str]:
        """All versions of `alias`, oldest first."""
        return sorted(name for name in self._names() if name.startswith(f"{alias}__"))

    def _names(self) -> list[str]:
        return [found.name for found in self.servers.ask(QdrantClient.get_collections).collections]

    def check(self, alias: str) -> None:
        """The name must be free, and every shard of the live version must have a replica that answers."""
        if alias in self._names():
            raise SimileError(
                f"The Qdrant server at {self.servers.shown} has a collection '{alias}', so that no alias can "
                "have its name; choose another name in the YAML, or delete that collection."
            )
        live = self.aliases().get(alias)
        if live is None:
            return
        if not live.startswith(f"{alias}__") and not self.finished([live]):
            raise SimileError(
                f"The alias '{alias}' on the Qdrant server at {self.servers.shown} names '{live}', which is "
                "not one of Simile's; choose another name in the YAML."
            )
        self.check_whole(live)

    def check_whole(self, version: str) -> None:
        """Every shard has a replica that is active and answers; waits a while for that."""
        wait_for_shards(self.servers, version)

    def create(
        self,
        version: str,
        config: CollectionConfig,
        vectors: dict[str, models.VectorParams],
        payload_indexes: dict[str, models.PayloadSchemaType],
    ) -> None:
        """Make the collection, then its payload indexes (before any point)."""
        make_collection(
            self.servers,
            version,
            by_segment(vectors, config.shard_number),
            shard_number=config.shard_number,
            replication_factor=config.replication_factor,
            # HNSW is built once, by `finish`, instead of again and again while points arrive.
            optimizers_config=models.OptimizersConfigDiff(
                indexing_threshold=0, default_segment_number=SEGMENTS
            ),
            **payload_storage(config.memory),
            metadata=LAYOUT,
        )
        self.check_whole(version)
        if (graphs := self._give_graphs_to_strict(version, config, vectors)) != vectors:
            self.servers.change(
                QdrantClient.update_collection,
                version,
                vectors_config=graph_changes(by_segment(graphs, config.shard_number)),
            )
        self._manifests.prepare(config.replication_factor or 1)
        self.add_indexes(version, config, payload_indexes)

    def add_indexes(
        self, version: str, config: CollectionConfig, payload_indexes: dict[str, models.PayloadSchemaType]
    ) -> None:
        """A field that is indexed in another way is indexed anew."""
        for field, schema in payload_indexes.items():
            path, create = json_path(field), QdrantClient.create_payload_index
            index = payload_index(schema, config.memory)
            self.servers.change(create, version, path, field_schema=index, wait=True)

    def _give_graphs_to_strict(
        self, version: str, config: CollectionConfig, vectors: dict[str, models.VectorParams]
    ) -> dict[str, models.VectorParams]:
        """Where no search may be exact, the server refuses every search of a vector without a graph."""
        if self.allows_exact(version):
            return vectors
        graph = models.HnswConfigDiff(m=config.hnsw.m)
        return {name: of if walked(of) else with_graph(of, graph) for name, of in vectors.items()}

    def upsert(
        self,
        version: str,
        ids: Sequence[str],
        vectors: dict[str, np.ndarray],
        payloads: Sequence[dict[str, Any]],
    ) -> None:
        """Write points in requests of bounded size."""
        width = sum(rows.shape[1] for rows in vectors.values()) * FLOAT_BYTES
        sizes = [width + payload_bytes(payload) for payload in payloads]
        for part in request_slices(sizes, self.strictness.of(version).upsert_max_batchsize):
            batch = models.Batch(
                ids=list(ids[part]),
                vectors={name: rows[part].tolist() for name, rows in vectors.items()},
                payloads=list(payloads[part]),
            )
            self.servers.write(QdrantClient.upsert, version, batch, wait=True)

    def copy(self, version: str, copy: str) -> None:
        """A server takes additions in place."""
        raise ValueError("a server's versions are not copied")

    def writers(self, version: str) -> int:
        """Two a shard: one packs its points while the shard takes those of the other."""
        shards = self.servers.ask(QdrantClient.get_collection, version).config.params.shard_number or 1
        return min(_MOST_WRITERS, max(_LEAST_WRITERS, 2 * shards))

    def set_graphs(
        self, version: str, config: CollectionConfig, vectors: dict[str, models.VectorParams]
    ) -> None:
        """`finish` tells the server, so that it builds once, and not first without the additions."""
        self._graphs[version] = self._give_graphs_to_strict(version, config, vectors)

    def delete(self, version: str, ids: Sequence[str]) -> None:
        """Remove points."""
        selector = models.PointIdsList(points=list(ids))
        self.servers.ask(QdrantClient.delete, version, selector, wait=True)

    def flush(self, version: str) -> None:
        """Nothing: the server has what it acknowledged in its log."""

    def finish(self, version: str) -> None:
        """Let the server build HNSW, and wait for it: queries before that would scan everything."""
        params = self.servers.ask(QdrantClient.get_collection, version).config.params
        there = params.vectors if isinstance(params.vectors, dict) else {}
        wanted = by_segment(self._graphs.get(version, {}), params.shard_number or 1)
        optimizers = models.OptimizersConfigDiff(
            indexing_threshold=threshold_kb({**there, **wanted}), default_segment_number=SEGMENTS
        )
        change = partial(
            self.servers.change,
            QdrantClient.update_collection,
            version,
            vectors_config=graph_changes(wanted) or None,
            optimizers_config=optimizers,
        )
        wait_until_indexed(
            look=partial(self.servers.ask, QdrantClient.get_collection, version),
            start=change,
            optimizations=partial(self.servers.ask, QdrantClient.get_optimizations, version, with_="queued"),
            patience=self.patience,
            address=self.address,
        )
        self._graphs.pop(version, None)

    def finished(self, versions: Sequence[str], *, patient: bool = True) -> set[str]:
        """From the versions' own metadata, which holds no tensors."""
        return self._manifests.finished(versions, patient)

    def write_manifest(self, version: str, manifest: Manifest) -> None:
        """Facts in the version's own metadata, tensors beside it."""
        self._manifests.write(version, manifest)

    def read_manifest(self, version: str) -> Manifest:
        """The manifest; raises NotFinishedError if the version is not finished."""
        return self._manifests.read(version)

    def attach(self, version: str, name: str, data: bytes) -> None:
        """In pieces, in the collection of attachments."""
        self._manifests.attach(version, name, data)

    def attachment(self, version: str, name: str) -> bytes | None:
        """The pieces, joined."""
        return self._manifests.attachment(version, name)

    def attachments(self, version: str) -> list[str]:
        """Names, from the version's own metadata."""
        return self._manifests.attachments(version)

    def payload_indexes(self, version: str) -> dict[str, models.PayloadSchemaType]:
        """From the collection."""
        schema = self.servers.ask(QdrantClient.get_collection, version).payload_schema
        return {field_name(path): index.data_type for path, index in schema.items()}

    def switch(self, alias: str, version: str) -> None:
        """One CreateAlias, which also moves an alias that is there: it never names nothing."""
        self.check_whole(version)
        create = models.CreateAlias(collection_name=version, alias_name=alias)
        steps = [models.CreateAliasOperation(create_alias=create)]
        self.servers.change(QdrantClient.update_collection_aliases, steps)

    def release(self, version: str) -> None:
        """Nothing is open here."""

    def drop(self, version: str) -> None:
        """Delete a version, and what is kept beside it."""
        if version in self.aliases().values():
            raise SimileError(f"'{version}' is live; switch its alias to another version first.")
        metadata = self._manifests.metadata(version)
        self.strictness.forget(version)
        self._graphs.pop(version, None)
        try:
            self.servers.change(QdrantClient.delete_collection, version)
        except ServerError as error:
            if error.failure.kind != "absent":  # an earlier attempt deleted it, and its answer was lost
                raise
        self._manifests.forget(version, metadata)

    def payload_index_bytes(self, version: str) -> int | None:
        """As the server tells."""
        told = ask_memory(self.servers, version)
        return payload_index_bytes(told, list(self.payload_indexes(version)))

    def resident_bytes(self, version: str) -> dict[str, Resident] | None:
        """As the server tells; the map of a graph counts, which the server calls cache."""
        vectors = self.servers.ask(QdrantClient.get_collection, version).config.params.vectors
        named = list(vectors) if isinstance(vectors, dict) else []
        return resident_bytes(ask_memory(self.servers, version), named)
