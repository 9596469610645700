"""A Qdrant server or cluster, through qdrant-client. Needs Qdrant 1.19 or newer."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models

from pipeline.config import CollectionConfig
from pipeline.errors import SimileError
from pipeline.store.field_paths import FieldName, field_name, json_path, payload_selector
from pipeline.store.manifest import Manifest
from pipeline.store.protocol import Resident, VectorQuery
from pipeline.store.read_points import all_points
from pipeline.store.server_collections import make_collection, wait_for_shards
from pipeline.store.server_connection import patience_seconds
from pipeline.store.server_errors import ServerError
from pipeline.store.server_indexing import THRESHOLD_KB, wait_until_indexed
from pipeline.store.server_manifests import LAYOUT, ServerManifests
from pipeline.store.server_requests import FLOAT_BYTES, payload_bytes, request_slices
from pipeline.store.servers import Servers

__all__ = ["ServerStore"]


class ServerStore:
    """Implements `pipeline.store.Store`. A version is a Qdrant collection, an alias is Qdrant's own."""

    parallel_writes = True
    in_place = True

    def __init__(self, url: str, api_key: str | None = None, patience: float | None = None) -> None:
        self.patience = patience_seconds(patience)
        self.servers = Servers(url, api_key, self.patience)
        self.address = self.servers.address
        self.engine = f"Qdrant {self.servers.version} at {self.address}"
        self._manifests = ServerManifests(self.servers)

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
                f"The Qdrant server at {self.address} has a collection '{alias}', so that no alias can have "
                "its name; choose another name in the YAML, or delete that collection."
            )
        live = self.aliases().get(alias)
        if live is None:
            return
        if not live.startswith(f"{alias}__") and not self.finished([live]):
            raise SimileError(
                f"The alias '{alias}' on the Qdrant server at {self.address} names '{live}', which is not "
                "one of Simile's; choose another name in the YAML."
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
            vectors,
            shard_number=config.shard_number,
            replication_factor=config.replication_factor,
            # HNSW is built once, by `finish`, instead of again and again while points arrive.
            optimizers_config=models.OptimizersConfigDiff(indexing_threshold=0),
            metadata=LAYOUT,
        )
        self.check_whole(version)
        self._manifests.prepare(config.replication_factor or 1)
        self.add_indexes(version, payload_indexes)

    def add_indexes(self, version: str, payload_indexes: dict[str, models.PayloadSchemaType]) -> None:
        """A field that is indexed in another way is indexed anew."""
        for field, schema in payload_indexes.items():
            path, create = json_path(field), QdrantClient.create_payload_index
            self.servers.change(create, version, path, field_schema=schema, wait=True)

    def upsert(
        self,
        version: str,
        ids: Sequence[str],
        vectors: dict[str, np.ndarray],
        payloads: Sequence[dict[str, Any]],
    ) -> None:
        """Write points in requests of bounded size."""
        width = sum(rows.shape[1] for rows in vectors.values()) * FLOAT_BYTES
        for part in request_slices([width + payload_bytes(payload) for payload in payloads]):
            batch = models.Batch(
                ids=list(ids[part]),
                vectors={name: rows[part].tolist() for name, rows in vectors.items()},
                payloads=list(payloads[part]),
            )
            self.servers.write(QdrantClient.upsert, version, batch, wait=True)

    def copy(self, version: str, copy: str) -> None:
        """A server takes additions in place."""
        raise ValueError("a server's versions are not copied")

    def set_graphs(
        self, version: str, config: CollectionConfig, vectors: dict[str, models.VectorParams]
    ) -> None:
        """The server begins to build at once, beside the additions."""
        graphs = {
            name: models.VectorParamsDiff(hnsw_config=params.hnsw_config) for name, params in vectors.items()
        }
        self.servers.change(QdrantClient.update_collection, version, vectors_config=graphs)

    def delete(self, version: str, ids: Sequence[str]) -> None:
        """Remove points."""
        selector = models.PointIdsList(points=list(ids))
        self.servers.ask(QdrantClient.delete, version, selector, wait=True)

    def loaded(self, version: str) -> set[str]:
        """Every point that is there: each was acknowledged, with its vectors and payload in one write."""
        return {str(point.id) for point in all_points(self, version, fields=[])}

    def finish(self, version: str) -> None:
        """Let the server build HNSW, and wait for it: queries before that would scan everything."""
        threshold = models.OptimizersConfigDiff(indexing_threshold=THRESHOLD_KB)
        wait_until_indexed(
            look=partial(self.servers.ask, QdrantClient.get_collection, version),
            start=partial(
                self.servers.change, QdrantClient.update_collection, version, optimizers_config=threshold
            ),
            patience=self.patience,
            address=self.address,
        )

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
        try:
            self.servers.change(QdrantClient.delete_collection, version)
        except ServerError as error:
            if error.failure.kind != "absent":  # an earlier attempt deleted it, and its answer was lost
                raise
        self._manifests.forget(version, metadata)

    def count(self, version: str, query_filter: models.Filter | None = None) -> int:
        """Exact count."""
        return int(self.servers.ask(QdrantClient.count, version, count_filter=query_filter, exact=True).count)

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
        """Nearest points, best first."""
        found: models.QueryResponse = self.servers.ask(
            QdrantClient.query_points,
            version,
            query=query.astype(np.float32).tolist() if isinstance(query, np.ndarray) else query,
            using=using,
            limit=limit,
            query_filter=query_filter,
            search_params=params,
            score_threshold=score_threshold,
            with_payload=payload_selector(fields),
            with_vectors=with_vectors or False,
        )
        return found.points

    def query_many(
        self,
        version: str,
        queries: np.ndarray,
        *,
        using: str,
        limit: int,
        params: models.SearchParams | None = None,
    ) -> list[list[models.ScoredPoint]]:
        """In requests of bounded size."""
        answers: list[models.QueryResponse] = []
        ask = partial(models.QueryRequest, using=using, limit=limit, params=params)
        for part in request_slices([queries.shape[1] * FLOAT_BYTES] * len(queries)):
            requests = [ask(query=row) for row in queries[part].astype(np.float32).tolist()]
            answers += self.servers.ask(QdrantClient.query_batch_points, version, requests)
        return [answer.points for answer in answers]

    def retrieve(
        self,
        version: str,
        ids: Sequence[str],
        with_vectors: list[str] | None = None,
        fields: Sequence[FieldName] | None = None,
    ) -> list[models.Record]:
        """Points by id."""
        wanted = {"with_payload": payload_selector(fields), "with_vectors": with_vectors or False}
        found: list[models.Record] = self.servers.ask(QdrantClient.retrieve, version, list(ids), **wanted)
        return found

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
        """Points by id order, or by a field."""
        found: list[models.Record]
        found, _ = self.servers.ask(
            QdrantClient.scroll,
            version,
            limit=limit,
            offset=offset,
            with_payload=payload_selector(fields),
            with_vectors=with_vectors or False,
            scroll_filter=query_filter,
            order_by=order_by,
        )
        return found

    def facet(
        self, version: str, key: str, limit: int, query_filter: models.Filter | None = None
    ) -> list[tuple[Any, int]]:
        """Counts by value."""
        path = json_path(key)
        found = self.servers.ask(
            QdrantClient.facet, version, key=path, limit=limit, exact=True, facet_filter=query_filter
        )
        return [(hit.value, hit.count) for hit in found.hits]

    def resident_bytes(self, version: str) -> dict[str, Resident] | None:
        """None: the server does not report memory by vector."""
        return None
