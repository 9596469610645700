"""`qdrant_client.models` -> `qdrant_edge`: the subset that Simile uses; anything else is refused by name."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import qdrant_edge as edge
from qdrant_client import models

from pipeline.config import CollectionConfig
from pipeline.store.field_paths import field_name, json_path
from pipeline.store.protocol import Resident, VectorQuery

__all__ = [
    "field_index",
    "filter_",
    "order_by",
    "payload_indexes",
    "quantization",
    "query",
    "resident_bytes",
    "scored",
    "search_params",
    "shard_config",
]

# A segment above this many kilobytes of vectors gets an HNSW graph; smaller ones are scanned exactly.
INDEXING_THRESHOLD = 1_000
# Points of a segment, at most. To make one takes some 430 bytes of memory for each of its points, beside
# mapped files. Fewer would make searches by graph slower: each segment has a graph of its own.
SEGMENT = 1_000_000
_INDEX = "vector_index-"  # how the engine names the folder of a named vector's graph
_MMR_CANDIDATES = 100  # Qdrant's own default is the limit, which would leave nothing to choose from
_DISTANCES = {models.Distance.COSINE: edge.Distance.Cosine, models.Distance.DOT: edge.Distance.Dot}
_PAYLOAD_TYPES = {
    models.PayloadSchemaType.KEYWORD: edge.PayloadSchemaType.Keyword,
    models.PayloadSchemaType.INTEGER: edge.PayloadSchemaType.Integer,
    models.PayloadSchemaType.FLOAT: edge.PayloadSchemaType.Float,
    models.PayloadSchemaType.BOOL: edge.PayloadSchemaType.Bool,
    models.PayloadSchemaType.DATETIME: edge.PayloadSchemaType.Datetime,
}
_INDEXES: dict[models.PayloadSchemaType, Any] = {
    models.PayloadSchemaType.KEYWORD: edge.KeywordIndexParams,
    models.PayloadSchemaType.INTEGER: edge.IntegerIndexParams,
    models.PayloadSchemaType.FLOAT: edge.FloatIndexParams,
    models.PayloadSchemaType.BOOL: edge.BoolIndexParams,
    models.PayloadSchemaType.DATETIME: edge.DatetimeIndexParams,
}
_MEMORY = {
    models.Memory.COLD: edge.Memory.Cold,
    models.Memory.CACHED: edge.Memory.Cached,
    models.Memory.PINNED: edge.Memory.Pinned,
}


def shard_config(vectors: dict[str, models.VectorParams], config: CollectionConfig) -> edge.EdgeConfig:
    """A shard without a write-ahead log, so that any number of processes can read it."""
    hnsw, kept = config.hnsw, config.memory

    def graph(params: models.VectorParams | None = None) -> edge.HnswIndexConfig:
        """The graph of one vector, or of those that say nothing of theirs."""
        own = (params.hnsw_config if params else None) or models.HnswConfigDiff()
        if own.m == 0:
            return edge.HnswIndexConfig(0, hnsw.ef_construct, hnsw.full_scan_kb)
        return edge.HnswIndexConfig(
            hnsw.m,
            hnsw.ef_construct,
            own.full_scan_threshold or hnsw.full_scan_kb,
            payload_m=hnsw.payload_m,
            memory=_memory(models.Memory(kept.graph)),
        )

    return edge.EdgeConfig(
        vectors={name: _vector(params, graph(params)) for name, params in vectors.items()},
        hnsw_config=graph(),
        optimizers=edge.EdgeOptimizersConfig(
            indexing_threshold=INDEXING_THRESHOLD,
            max_segment_size=max(SEGMENT * _point_bytes(params) // 1024 for params in vectors.values()),
        ),
        payload_memory=_memory(models.Memory(kept.payload)),
        wal_enabled=False,
    )


def _point_bytes(params: models.VectorParams) -> int:
    return params.size * (2 if params.datatype == models.Datatype.FLOAT16 else 4)


def _vector(params: models.VectorParams, hnsw: edge.HnswIndexConfig) -> edge.EdgeVectorParams:
    half = params.datatype == models.Datatype.FLOAT16
    return edge.EdgeVectorParams(
        params.size,
        _DISTANCES[params.distance],
        datatype=edge.VectorStorageDatatype.Float16 if half else edge.VectorStorageDatatype.Float32,
        quantization_config=quantization(params.quantization_config),
        hnsw_config=hnsw,
        memory=_memory(params.memory),
    )


def field_index(field: str, schema: models.PayloadSchemaType, memory: models.Memory) -> edge.UpdateOperation:
    """Index a payload field, in `memory`."""
    index = _INDEXES[schema](memory=_memory(memory))
    return edge.UpdateOperation.create_field_index(json_path(field), index)


def _memory(wanted: models.Memory | None) -> edge.Memory | None:
    return None if wanted is None else _MEMORY[wanted]


def payload_indexes(shard: edge.EdgeShard) -> dict[str, models.PayloadSchemaType]:
    """Field -> kind of its index, for all fields of a shard."""
    return {
        field_name(path): next(ours for ours, theirs in _PAYLOAD_TYPES.items() if theirs == index.data_type)
        for path, index in shard.info().payload_schema.items()
    }


def search_params(params: models.SearchParams | None) -> edge.SearchParams | None:
    """Exactness, HNSW breadth, rescoring and ACORN."""
    if params is None:
        return None
    wanted = params.quantization
    quantized = wanted and edge.QuantizationSearchParams(
        ignore=bool(wanted.ignore), rescore=wanted.rescore, oversampling=wanted.oversampling
    )
    acorn = params.acorn and edge.AcornSearchParams(
        enable=bool(params.acorn.enable), max_selectivity=params.acorn.max_selectivity
    )
    return edge.SearchParams(
        hnsw_ef=params.hnsw_ef,
        exact=bool(params.exact),
        quantization=quantized or None,
        acorn=acorn or None,
    )


def query(wanted: VectorQuery, using: str) -> Any:
    """A vector, nearest by MMR, or recommend by best score; examples are vectors, not ids."""
    match wanted:
        case np.ndarray():
            return edge.Query.Nearest(_floats(wanted), using=using)
        case models.NearestQuery(nearest=list(vector), mmr=models.Mmr() as mmr):
            # Qdrant's `diversity` is 1 − λ of the paper, which is what the embedded engine takes
            candidates = mmr.candidates_limit or _MMR_CANDIDATES
            return edge.Mmr(vector, 1.0 - (mmr.diversity or 0.0), candidates, using=using)
        case models.RecommendQuery(recommend=models.RecommendInput() as given):
            if given.strategy != models.RecommendStrategy.BEST_SCORE:
                raise NotImplementedError(f"the embedded store does not translate {given.strategy}")
            examples = edge.RecommendQuery(list(given.positive or []), list(given.negative or []))  # type: ignore[arg-type]
            return edge.Query.RecommendBestScore(examples, using=using)
    raise NotImplementedError(f"the embedded store does not translate {wanted!r}")


def _floats(vector: np.ndarray) -> list[float]:
    floats: list[float] = vector.astype(np.float32).tolist()
    return floats


def filter_(wanted: models.Filter | None) -> edge.Filter | None:
    """must, should and must_not of matches, ranges, fields without a value, and ids."""
    if wanted is None:
        return None
    return edge.Filter(
        must=_conditions(wanted.must),
        should=_conditions(wanted.should),
        must_not=_conditions(wanted.must_not),
    )


def _conditions(wanted: Any) -> list[Any] | None:
    if wanted is None:
        return None
    return [_condition(item) for item in (wanted if isinstance(wanted, list) else [wanted])]


def _condition(wanted: Any) -> Any:
    if isinstance(wanted, models.Filter):
        return filter_(wanted)
    if isinstance(wanted, models.HasIdCondition):
        return edge.HasIdCondition({str(point) for point in wanted.has_id})
    if isinstance(wanted, models.IsEmptyCondition):
        return edge.IsEmptyCondition(wanted.is_empty.key)
    if not isinstance(wanted, models.FieldCondition):
        raise NotImplementedError(f"the embedded store does not translate {type(wanted).__name__}")
    match wanted.match:
        case models.MatchValue(value=value):
            # The engine's binding takes Python's True for the integer 1, and numpy's for what it is.
            plain: Any = np.bool_(value) if isinstance(value, bool) else value
            return edge.FieldCondition(wanted.key, match=edge.MatchValue(plain))
        case models.MatchAny(any=values):
            return edge.FieldCondition(wanted.key, match=edge.MatchAny(values))
    span = wanted.range
    if isinstance(span, models.Range):
        return edge.FieldCondition(
            wanted.key, range=edge.RangeFloat(gte=span.gte, gt=span.gt, lte=span.lte, lt=span.lt)
        )
    if isinstance(span, models.DatetimeRange):
        bounds = (span.gte, span.gt, span.lte, span.lt)
        times = [None if bound is None else bound.isoformat() for bound in bounds]
        return edge.FieldCondition(wanted.key, range=edge.RangeDateTime(*times))
    raise NotImplementedError(f"the embedded store does not translate {wanted!r}")


def order_by(wanted: models.OrderBy | None) -> edge.OrderBy | None:
    """By the values of a field."""
    if wanted is None:
        return None
    down = wanted.direction == models.Direction.DESC
    return edge.OrderBy(wanted.key, direction=edge.Direction.Desc if down else edge.Direction.Asc)


def record(found: edge.Record) -> models.Record:
    """A stored point; its fields are the engine's own, so they are not validated again."""
    vector = cast(Any, found.vector) or None
    return models.Record.model_construct(id=str(found.id), payload=found.payload, vector=vector)


def scored(hit: edge.ScoredPoint) -> models.ScoredPoint:
    vector = cast(Any, hit.vector) or None
    return models.ScoredPoint(
        id=str(hit.id), version=hit.version, score=hit.score, payload=hit.payload, vector=vector
    )


EdgeQuantization = (
    edge.BinaryQuantizationConfig
    | edge.TurboQuantQuantizationConfig
    | edge.ScalarQuantizationConfig
    | edge.ProductQuantizationConfig
)
_ENCODINGS = {
    None: None,
    models.BinaryQuantizationEncoding.ONE_BIT: edge.BinaryQuantizationEncoding.OneBit,
    models.BinaryQuantizationEncoding.ONE_AND_HALF_BITS: edge.BinaryQuantizationEncoding.OneAndHalfBits,
    models.BinaryQuantizationEncoding.TWO_BITS: edge.BinaryQuantizationEncoding.TwoBits,
}
_QUERY_ENCODINGS = {
    None: None,
    models.BinaryQuantizationQueryEncoding.BINARY: edge.BinaryQuantizationQueryEncoding.Binary,
    models.BinaryQuantizationQueryEncoding.SCALAR4BITS: edge.BinaryQuantizationQueryEncoding.Scalar4Bits,
    models.BinaryQuantizationQueryEncoding.SCALAR8BITS: edge.BinaryQuantizationQueryEncoding.Scalar8Bits,
}
_TURBO_BITS = {
    models.TurboQuantBitSize.BITS1: edge.TurboQuantBitSize.Bits1,
    models.TurboQuantBitSize.BITS1_5: edge.TurboQuantBitSize.Bits1_5,
    models.TurboQuantBitSize.BITS2: edge.TurboQuantBitSize.Bits2,
    models.TurboQuantBitSize.BITS4: edge.TurboQuantBitSize.Bits4,
}
_RATIOS = {
    models.CompressionRatio.X4: edge.CompressionRatio.X4,
    models.CompressionRatio.X8: edge.CompressionRatio.X8,
    models.CompressionRatio.X16: edge.CompressionRatio.X16,
    models.CompressionRatio.X32: edge.CompressionRatio.X32,
    models.CompressionRatio.X64: edge.CompressionRatio.X64,
}


def quantization(wanted: models.QuantizationConfig | None) -> EdgeQuantization | None:
    """Binary, Turbo, scalar or product.

    Raises:
        NotImplementedError: a kind that Simile's configuration cannot ask for.
    """
    match wanted:
        case None:
            return None
        case models.BinaryQuantization(binary=binary):
            return edge.BinaryQuantizationConfig(
                encoding=_ENCODINGS[binary.encoding],
                query_encoding=_QUERY_ENCODINGS[binary.query_encoding],
                memory=_memory(binary.memory),
            )
        case models.TurboQuantization(turbo=turbo) if turbo.bits:
            return edge.TurboQuantQuantizationConfig(
                bits=_TURBO_BITS[turbo.bits], memory=_memory(turbo.memory)
            )
        case models.ScalarQuantization(scalar=scalar):
            return edge.ScalarQuantizationConfig(
                edge.ScalarType.Int8, quantile=scalar.quantile, memory=_memory(scalar.memory)
            )
        case models.ProductQuantization(product=product):
            return edge.ProductQuantizationConfig(
                _RATIOS[product.compression], memory=_memory(product.memory)
            )
    raise NotImplementedError(f"the embedded store does not translate {wanted!r}")


def resident_bytes(shard_folder: Path) -> dict[str, Resident]:
    """Named vector -> RAM that its codes and its graph take, from the sizes of a shard's files."""
    found: dict[str, Resident] = {}
    for index in shard_folder.glob(f"segments/*/{_INDEX}*"):
        name = index.name.removeprefix(_INDEX)
        quantized = index.parent / f"vector_storage-{name}" / "quantized.data"
        codes = quantized.stat().st_size if quantized.is_file() else 0
        links = sum(file.stat().st_size for file in index.glob("*.bin"))
        before = found.get(name, Resident(0, 0))
        found[name] = Resident(before.codes + codes, before.links + links)
    return found
