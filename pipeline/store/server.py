"""A Qdrant server or cluster, through qdrant-client. Needs Qdrant 1.19 or newer."""

import base64
import json
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from qdrant_client import models
from safetensors.numpy import load, save

from pipeline.config import CollectionConfig
from pipeline.errors import NotFinishedError, SimileError
from pipeline.store.field_paths import FieldName, json_path, payload_selector
from pipeline.store.manifest import Manifest, read_manifest
from pipeline.store.protocol import Resident, VectorQuery
from pipeline.store.read_points import all_points
from pipeline.store.server_connection import connect, patience_seconds
from pipeline.store.server_requests import (
    THRESHOLD_KB,
    payload_bytes,
    request_slices,
    retried,
    wait_until_indexed,
)

__all__ = ["MANIFESTS", "ServerStore"]

MANIFESTS = "simile_manifests"  # one point a version; its vector is never searched
_FLOAT_BYTES = 12  # of one float as JSON


class ServerStore:
    """Implements `pipeline.store.Store`. A version is a Qdrant collection, an alias is Qdrant's own."""

    parallel_writes = True
    in_place = True

    def __init__(self, url: str, api_key: str | None = None, patience: float | None = None) -> None:
        self.address = url
        self.patience = patience_seconds(patience)
        self.client, self.writer = connect(url, api_key, self.patience)

    def aliases(self) -> dict[str, str]:
        """Alias -> version."""
        return {a.alias_name: a.collection_name for a in self._send(self.client.get_aliases).aliases}

    def versions(self, alias: str) -> list[str]:
        """All versions of `alias`, oldest first."""
        names = [c.name for c in self._send(self.client.get_collections).collections]
        return sorted(name for name in names if name.startswith(f"{alias}__"))

    def create(
        self,
        version: str,
        config: CollectionConfig,
        vectors: dict[str, models.VectorParams],
        payload_indexes: dict[str, models.PayloadSchemaType],
    ) -> None:
        """Make the collection, then its payload indexes (before any point)."""
        self._send(
            self.client.create_collection,
            version,
            vectors_config=vectors,
            shard_number=config.shard_number,
            replication_factor=config.replication_factor,
            # HNSW is built once, by `finish`, instead of again and again while points arrive.
            optimizers_config=models.OptimizersConfigDiff(indexing_threshold=0),
        )
        self.add_indexes(version, payload_indexes)

    def add_indexes(self, version: str, payload_indexes: dict[str, models.PayloadSchemaType]) -> None:
        """A field that is indexed in another way is indexed anew."""
        for field, schema in payload_indexes.items():
            path, create = json_path(field), self.client.create_payload_index
            self._send(create, version, path, field_schema=schema, wait=True)

    def upsert(
        self,
        version: str,
        ids: Sequence[str],
        vectors: dict[str, np.ndarray],
        payloads: Sequence[dict[str, Any]],
    ) -> None:
        """Write points in requests of bounded size."""
        width = sum(rows.shape[1] for rows in vectors.values()) * _FLOAT_BYTES
        for part in request_slices([width + payload_bytes(payload) for payload in payloads]):
            batch = models.Batch(
                ids=list(ids[part]),
                vectors={name: rows[part].tolist() for name, rows in vectors.items()},
                payloads=list(payloads[part]),
            )
            self._send(self.writer.upsert, version, batch, wait=True)

    def _send(self, send: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return retried(partial(send, *arguments, **named), self.patience, self.address)

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
        self._send(self.client.update_collection, version, vectors_config=graphs)

    def delete(self, version: str, ids: Sequence[str]) -> None:
        """Remove points."""
        selector = models.PointIdsList(points=list(ids))
        self._send(self.client.delete, version, selector, wait=True)

    def loaded(self, version: str) -> set[str]:
        """Every point that is there: each was acknowledged, with its vectors and payload in one write."""
        return {str(point.id) for point in all_points(self, version, fields=[])}

    def finish(self, version: str) -> None:
        """Let the server build HNSW, and wait for it: queries before that would scan everything."""
        threshold = models.OptimizersConfigDiff(indexing_threshold=THRESHOLD_KB)
        wait_until_indexed(
            look=partial(self._send, self.client.get_collection, version),
            start=partial(self._send, self.client.update_collection, version, optimizers_config=threshold),
            patience=self.patience,
            address=self.address,
        )

    def write_manifest(self, version: str, manifest: Manifest) -> None:
        """A point in a small collection of manifests."""
        payload = {
            "version": version,
            "facts": json.loads(manifest.to_json()),
            "tensors": base64.b64encode(save(dict(manifest.tensors))).decode() if manifest.tensors else "",
        }
        self._keep(_manifest_id(version), payload)

    def read_manifest(self, version: str) -> Manifest:
        """The manifest; raises NotFinishedError if the version is not finished."""
        payload = self._kept(_manifest_id(version))
        if payload is None:
            raise NotFinishedError(f"'{version}' was never finished; index it again.")
        tensors = load(base64.b64decode(payload["tensors"])) if payload["tensors"] else {}
        return read_manifest(version, json.dumps(payload["facts"]), tensors)

    def attach(self, version: str, name: str, data: bytes) -> None:
        """Keep the bytes as a point in the collection of manifests."""
        payload = {"version": version, "name": name, "data": base64.b64encode(data).decode()}
        self._keep(_manifest_id(f"{version}/{name}"), payload)

    def attachment(self, version: str, name: str) -> bytes | None:
        """The point's bytes."""
        payload = self._kept(_manifest_id(f"{version}/{name}"))
        return None if payload is None else base64.b64decode(payload["data"])

    def _keep(self, point: str, payload: dict[str, Any]) -> None:
        if not self._send(self.client.collection_exists, MANIFESTS):
            vectors = models.VectorParams(size=1, distance=models.Distance.DOT)
            self._send(self.client.create_collection, MANIFESTS, vectors_config=vectors)
        kept = models.PointStruct(id=point, vector=[0.0], payload=payload)
        self._send(self.client.upsert, MANIFESTS, [kept], wait=True)

    def _kept(self, point: str) -> dict[str, Any] | None:
        if not self._send(self.client.collection_exists, MANIFESTS):
            return None
        found = self._send(self.client.retrieve, MANIFESTS, [point], with_payload=True)
        return (found[0].payload or {}) if found else None

    def switch(self, alias: str, version: str) -> None:
        """Delete and create the alias in one request, which the server carries out as one step."""
        steps: list[Any] = []
        if alias in self.aliases():
            steps.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
        create = models.CreateAlias(collection_name=version, alias_name=alias)
        steps.append(models.CreateAliasOperation(create_alias=create))
        self._send(self.client.update_collection_aliases, steps)

    def release(self, version: str) -> None:
        """Nothing is open here."""

    def drop(self, version: str) -> None:
        """Delete a version and its manifest."""
        if version in self.aliases().values():
            raise SimileError(f"'{version}' is live; switch its alias to another version first.")
        self._send(self.client.delete_collection, version)
        if self._send(self.client.collection_exists, MANIFESTS):
            of_version = models.FieldCondition(key="version", match=models.MatchValue(value=version))
            selector = models.FilterSelector(filter=models.Filter(must=[of_version]))
            self._send(self.client.delete, MANIFESTS, selector)

    def count(self, version: str, query_filter: models.Filter | None = None) -> int:
        """Exact count."""
        return int(self._send(self.client.count, version, count_filter=query_filter, exact=True).count)

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
        found: models.QueryResponse = self._send(
            self.client.query_points,
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
        for part in request_slices([queries.shape[1] * _FLOAT_BYTES] * len(queries)):
            requests = [
                models.QueryRequest(query=query, using=using, limit=limit, params=params)
                for query in queries[part].astype(np.float32).tolist()
            ]
            answers += self._send(self.client.query_batch_points, version, requests)
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
        found: list[models.Record] = self._send(self.client.retrieve, version, list(ids), **wanted)
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
        found, _ = self._send(
            self.client.scroll,
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
        found = self._send(
            self.client.facet, version, key=json_path(key), limit=limit, exact=True, facet_filter=query_filter
        )
        return [(hit.value, hit.count) for hit in found.hits]

    def resident_bytes(self, version: str) -> dict[str, Resident] | None:
        """None: the server does not report memory by vector."""
        return None


def _manifest_id(version: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"simile-manifest/{version}"))
