"""Where a server shall keep what a version holds, and what it says that it takes in RAM.

Qdrant 1.19 answers `GET /collections/NAME/memory` and does not promise the form of the answer, so it is
looked through for what is needed. What is not found is unknown, not zero.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from qdrant_client import QdrantClient, models

from pipeline.config.memory import MemoryConfig, placed
from pipeline.store.protocol import Resident
from pipeline.store.server_collections import replica_states
from pipeline.store.server_errors import ServerError
from pipeline.store.servers import Servers

__all__ = ["ask_memory", "payload_index", "payload_index_bytes", "payload_storage", "resident_bytes"]

_INDEXES: dict[models.PayloadSchemaType, Any] = {
    models.PayloadSchemaType.KEYWORD: models.KeywordIndexParams,
    models.PayloadSchemaType.INTEGER: models.IntegerIndexParams,
    models.PayloadSchemaType.FLOAT: models.FloatIndexParams,
    models.PayloadSchemaType.BOOL: models.BoolIndexParams,
    models.PayloadSchemaType.DATETIME: models.DatetimeIndexParams,
}


def payload_index(schema: models.PayloadSchemaType, memory: MemoryConfig) -> Any:
    """What a server is told of one payload index; nothing but its kind where it keeps it as it would."""
    if memory.payload_indexes == "pinned":
        return schema
    return _INDEXES[schema](type=schema.value, **placed(models.Memory(memory.payload_indexes)))


def payload_storage(memory: MemoryConfig) -> dict[str, Any]:
    """Where a new collection keeps its payload: arguments of `create_collection`."""
    kept = models.Memory(memory.payload)
    return {
        "payload": models.PayloadStorageParams(memory=kept),
        "on_disk_payload": kept is models.Memory.COLD,
    }


def ask_memory(servers: Servers, version: str) -> Any:
    """The answer as JSON; None where the server does not know the question, or other nodes hold a part."""
    cluster = servers.ask(QdrantClient.collection_cluster_info, version)
    if len({peer for peers in replica_states(cluster).values() for peer in peers}) > 1:
        return None  # a node speaks of its own shards
    try:
        return servers.ask(_memory, version)
    except ServerError as error:
        if error.failure.kind not in ("absent", "foreign", "refused"):
            raise
        return None


def _memory(client: QdrantClient, version: str) -> Any:
    return client.http.client.request(
        type_=Any, method="GET", url="/collections/{name}/memory", path_params={"name": version}
    )


def resident_bytes(told: Any, vectors: list[str]) -> dict[str, Resident] | None:
    """Codes and graph of each vector; None unless all of them are told.

    >>> parts = {"quantized": {"ram_bytes": 64}, "index": {"ram_bytes": 0, "cache_bytes": 80}}
    >>> resident_bytes({"result": {"vectors": {"cnn": parts}}}, ["cnn"])
    {'cnn': Resident(codes=64, links=80)}
    """
    found = {}
    for name in vectors:
        about = _named(told, name, "vector")
        codes, links = _part(about, ("quant", "codes")), _part(about, ("index", "hnsw", "graph", "links"))
        if codes is None or links is None:
            return None
        found[name] = Resident(_bytes(codes, ("ram",)), _bytes(links, ("ram", "cache")))
    return found or None


def payload_index_bytes(told: Any, fields: list[str]) -> int | None:
    """RAM of the indexes of these payload fields together; None unless all of them are told."""
    about = [_named(told, name, "index") for name in fields]
    return None if None in about else sum(_bytes(each, ("ram",)) for each in about)


def _items(tree: Any) -> Iterator[tuple[str, Any]]:
    """Key and value of a mapping; of a list, the name that each entry gives itself, and the entry."""
    if isinstance(tree, Mapping):
        yield from ((str(key), value) for key, value in tree.items())
    elif isinstance(tree, list):
        for each in tree:
            if isinstance(each, Mapping):
                named = (
                    each[key] for key in ("name", "vector_name", "field", "field_name", "key") if key in each
                )
                yield str(next(named, "")), each


def _named(tree: Any, name: str, below: str, inside: bool = False) -> Any:
    """What is told under `name`, somewhere below a key that holds the word `below`."""
    for key, value in _items(tree):
        if inside and key == name:
            return value
        found = _named(value, name, below, inside or below in key.lower())
        if found is not None:
            return found
    return None


def _part(tree: Any, words: tuple[str, ...]) -> Any:
    return next((value for key, value in _items(tree) if any(word in key.lower() for word in words)), None)


def _bytes(tree: Any, kinds: tuple[str, ...]) -> int:
    """The sum of all whole numbers below whose key holds one of the words."""
    total = 0
    for key, value in _items(tree):
        if isinstance(value, int) and not isinstance(value, bool):
            total += value if any(kind in key.lower() for kind in kinds) else 0
        else:
            total += _bytes(value, kinds)
    return total
