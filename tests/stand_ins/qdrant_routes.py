"""What the stand-in does for each request of Qdrant's REST interface that Simile sends."""

import json
import re
from typing import TYPE_CHECKING, Any

from qdrant_client import models

from tests.stand_ins.qdrant_graphs import change_graphs, optimizations, scanned
from tests.stand_ins.qdrant_refusals import Refusal, check_paths, check_strictness, exists_already, not_found

if TYPE_CHECKING:
    from tests.stand_ins.qdrant import QdrantStandIn

__all__ = ["WAITS_FOR_PEERS", "answer", "upsert"]

_DONE = {"operation_id": 0, "status": "completed"}


def answer(state: "QdrantStandIn", peer: int, method: str, path: str, body: dict[str, Any]) -> Any:
    """The `result` of one request.

    Raises:
        Refusal: as the server would.
    """
    for verb, pattern, action in _ROUTES:
        found = re.fullmatch(pattern, path)
        if verb == method and found:
            check_paths(body)
            names = [state.aliases.get(name, name) for name in found.groups()]
            if names and (verb, pattern) != ("PUT", _NAME):
                _check_collection(state, names[0], method, path, body)
            if action in (_cluster, _status):
                return action(state, peer, *names)
            return action(state, body, *names)
    raise Refusal(404, f"Not found: {method} {path}")


def _check_collection(
    state: "QdrantStandIn", name: str, method: str, path: str, body: dict[str, Any]
) -> None:
    below = re.sub(r"^/collections/[^/]+/?(points/)?", "", path)
    if below == "exists" or (not below and name not in state.created and not body):
        return  # these answer by themselves
    if name not in state.created:
        raise not_found(name)
    if method == "POST" and below in ("query", "query/batch", "scroll", "count", "facet", "points"):
        kind = {"query/batch": "query", "facet": "count"}.get(below, below)
        state.shards.check_read(name, kind)
    created = state.created[name]
    check_strictness(
        created.strict_mode_config, below, body, set(state.indexes.get(name, {})), scanned(created)
    )


def _json(value: Any) -> Any:
    return json.loads(value.model_dump_json()) if hasattr(value, "model_dump_json") else value


def _create(state: "QdrantStandIn", body: dict, name: str) -> Any:
    if name in state.created:
        raise exists_already(name)
    if name in state.aliases:
        raise exists_already(name, "Alias")
    wanted = models.CreateCollection.model_validate(body)
    if wanted.strict_mode_config is None:
        wanted = wanted.model_copy(update={"strict_mode_config": state.strict})
    state.created[name] = wanted
    state.shards.place(name, wanted.shard_number, wanted.replication_factor)
    return state.client.create_collection(name, vectors_config=wanted.vectors, metadata=wanted.metadata)


def _drop(state: "QdrantStandIn", body: dict, name: str) -> Any:
    state.shards.placed.pop(name, None)
    state.indexes.pop(name, None)
    state.aliases = {alias: of for alias, of in state.aliases.items() if of != name}
    return state.client.delete_collection(name) and bool(state.created.pop(name, None))


def _update(state: "QdrantStandIn", body: dict, name: str) -> Any:
    asked = models.UpdateCollection.model_validate(body)
    state.updated.setdefault(name, []).append(body)
    if asked.metadata is not None:
        state.client.update_collection(name, metadata=asked.metadata)
    if isinstance(asked.vectors, dict):
        change_graphs(state, name, asked.vectors)
    if asked.strict_mode_config is not None:
        state.created[name] = state.created[name].model_copy(
            update={"strict_mode_config": asked.strict_mode_config}
        )
    if asked.optimizers_config and asked.optimizers_config.indexing_threshold:
        state.building[name] = state.build_looks
    return True


def _info(state: "QdrantStandIn", body: dict, name: str) -> Any:
    """With a graph of everything once it is done; YELLOW for `build_looks` looks before that."""
    if name not in state.created:
        raise not_found(name)
    info = state.client.get_collection(name)
    vectors = info.config.params.vectors
    left = state.building.get(name, 0)
    state.building[name] = left - 1 if left > 0 else left
    indexed = 0 if left else (info.points_count or 0) * (len(vectors) if isinstance(vectors, dict) else 1)
    status = models.CollectionStatus.YELLOW if left else models.CollectionStatus.GREEN
    told = _json(info.model_copy(update={"indexed_vectors_count": indexed, "status": status}))
    told["payload_schema"] = state.indexes.get(name, {})
    created = state.created[name]
    told["config"]["params"]["vectors"] = _json(created)["vectors"]
    told["config"]["strict_mode_config"] = _json(created)["strict_mode_config"]
    told["config"]["params"] |= {
        "shard_number": len(state.shards.placed[name]),
        "replication_factor": created.replication_factor or 1,
        "write_consistency_factor": 1,
        "on_disk_payload": True,
    }
    return told


def _index(state: "QdrantStandIn", body: dict, name: str) -> Any:
    told = models.CreateFieldIndex.model_validate(body).field_schema
    index: dict[str, Any] = {"data_type": getattr(told, "type", told), "points": 0}
    if told is not None and not isinstance(told, models.PayloadSchemaType):
        index["params"] = _json(told)
    state.indexes.setdefault(name, {})[body["field_name"]] = index
    state.shards.after_write(name)
    return _DONE


def _upsert(state: "QdrantStandIn", body: dict, name: str) -> Any:
    if "batch" in body:
        batch = models.Batch.model_validate(body["batch"])
        rows = [
            models.PointStruct(
                id=point,
                vector={n: rows[at] for n, rows in batch.vectors.items()},  # type: ignore[union-attr,misc]
                payload=(batch.payloads or {})[at],  # type: ignore[index]
            )
            for at, point in enumerate(batch.ids)
        ]
    else:
        rows = [models.PointStruct.model_validate(point) for point in body["points"]]
    upsert(state, name, rows)
    return _DONE


def upsert(state: "QdrantStandIn", name: str, points: list[models.PointStruct]) -> None:
    """Write what belongs to shards that answer; the others make the request fail."""
    if name not in state.created:
        raise not_found(name)
    answering = state.shards.answering(name)
    kept = [point for point in points if state.shards.of_point(name, point.id) in answering]
    if kept:
        state.client.upsert(name, kept)
        state.upserted[name] += len(kept)
    state.shards.after_write(name)


def _query_many(state: "QdrantStandIn", body: dict, name: str) -> Any:
    return [_query(state, asked, name) for asked in body["searches"]]


def _query(state: "QdrantStandIn", body: dict, name: str) -> Any:
    asked = models.QueryRequest.model_validate(body)
    found = state.client.query_points(
        name,
        query=asked.query,
        using=asked.using,
        limit=asked.limit or 10,
        offset=asked.offset,
        query_filter=asked.filter,
        score_threshold=asked.score_threshold,
        with_payload=asked.with_payload or False,
        with_vectors=asked.with_vector or False,
    )
    return _json(found)


def _retrieve(state: "QdrantStandIn", body: dict, name: str) -> Any:
    asked = models.PointRequest.model_validate(body)
    found = state.client.retrieve(
        name, asked.ids, with_payload=asked.with_payload or False, with_vectors=asked.with_vector or False
    )
    return [_json(record) for record in found]


def _scroll(state: "QdrantStandIn", body: dict, name: str) -> Any:
    asked = models.ScrollRequest.model_validate(body)
    everything, _ = state.client.scroll(
        name,
        scroll_filter=asked.filter,
        limit=100_000,
        with_payload=asked.with_payload or False,
        with_vectors=asked.with_vector or False,
    )
    if asked.order_by:
        by_value, _ = state.client.scroll(
            name,
            scroll_filter=asked.filter,
            limit=asked.limit or 10,
            order_by=asked.order_by,
            with_payload=asked.with_payload or False,
        )
        return {"points": [_json(r) for r in by_value], "next_page_offset": None}
    ordered = sorted(everything, key=lambda record: str(record.id))
    kept = [r for r in ordered if asked.offset is None or str(r.id) >= str(asked.offset)]
    page, rest = kept[: asked.limit], kept[asked.limit or 10 :]
    return {"points": [_json(r) for r in page], "next_page_offset": str(rest[0].id) if rest else None}


def _facet(state: "QdrantStandIn", body: dict, name: str) -> Any:
    asked = models.FacetRequest.model_validate(body)
    return _json(state.client.facet(name, asked.key, facet_filter=asked.filter, limit=asked.limit or 10))


def _count(state: "QdrantStandIn", body: dict, name: str) -> Any:
    asked = models.CountRequest.model_validate(body)
    return _json(state.client.count(name, count_filter=asked.filter, exact=True))


def _delete_points(state: "QdrantStandIn", body: dict, name: str) -> Any:
    kind = models.FilterSelector if "filter" in body else models.PointIdsList
    state.client.delete(name, kind.model_validate(body))
    state.shards.after_write(name)
    return _DONE


def _change_aliases(state: "QdrantStandIn", body: dict) -> Any:
    """One action after the other: what was done before one that fails stays done, as on the server."""
    for action in models.ChangeAliasesOperation.model_validate(body).actions:
        if isinstance(action, models.DeleteAliasOperation):
            state.aliases.pop(action.delete_alias.alias_name, None)
        elif isinstance(action, models.CreateAliasOperation):
            wanted = action.create_alias
            if wanted.collection_name not in state.created:
                raise not_found(wanted.collection_name)
            if wanted.alias_name in state.created:
                raise exists_already(wanted.alias_name)
            state.aliases[wanted.alias_name] = wanted.collection_name
    return True


def _list_aliases(state: "QdrantStandIn", body: dict) -> Any:
    return {"aliases": [{"alias_name": a, "collection_name": c} for a, c in state.aliases.items()]}


def _cluster(state: "QdrantStandIn", peer: int, name: str) -> Any:
    return state.shards.cluster(name, peer)


def _status(state: "QdrantStandIn", peer: int) -> Any:
    return state.shards.status(peer)


def _replicate(state: "QdrantStandIn", body: dict, name: str) -> Any:
    asked = models.ReplicateShardOperation.model_validate(body).replicate_shard
    state.shards.replicate(name, asked.shard_id, asked.to_peer_id)
    return True


def _memory(state: "QdrantStandIn", body: dict, name: str) -> Any:
    if state.memory is None:
        raise Refusal(404, "Not found: memory")
    return state.memory


_NAME = r"/collections/([^/]+)"
_ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/", lambda s, b: {"title": "qdrant - vector search engine", "version": s.version}),
    ("GET", "/cluster", _status),
    ("GET", "/collections", lambda s, b: _json(s.client.get_collections())),
    ("GET", "/aliases", _list_aliases),
    ("POST", "/collections/aliases", _change_aliases),
    ("GET", _NAME + "/exists", lambda s, b, n: {"exists": n in s.created}),
    ("PUT", _NAME, _create),
    ("GET", _NAME, _info),
    ("PATCH", _NAME, _update),
    ("DELETE", _NAME, _drop),
    ("GET", _NAME + "/cluster", _cluster),
    ("POST", _NAME + "/cluster", _replicate),
    ("GET", _NAME + "/optimizations", optimizations),
    ("GET", _NAME + "/memory", _memory),
    ("PUT", _NAME + "/index", _index),
    ("PUT", _NAME + "/points", _upsert),
    ("POST", _NAME + "/points/query", _query),
    ("POST", _NAME + "/points/query/batch", _query_many),
    ("POST", _NAME + "/points", _retrieve),
    ("POST", _NAME + "/points/scroll", _scroll),
    ("POST", _NAME + "/points/count", _count),
    ("POST", _NAME + "/points/delete", _delete_points),
    ("POST", _NAME + "/facet", _facet),
]
# Answered once every peer has carried them out, or ten seconds later.
WAITS_FOR_PEERS = [("PUT", _NAME), ("PATCH", _NAME), ("DELETE", _NAME), ("POST", "/collections/aliases")]
