"""Payload columns of a source: which they are, what they are in JSON, and how Qdrant indexes each."""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.points import bounded
from pipeline.sources.source import Source, is_image

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features
    from qdrant_client import models

__all__ = ["decode_payload", "payload_columns", "payload_indexes"]


def payload_columns(features: Features, image: str) -> tuple[str, ...]:
    """All columns but the image and others that hold images, sound or video."""
    return tuple(
        column for column, feature in features.items() if column != image and not _holds_media(feature)
    )


def _holds_media(feature: Any) -> bool:
    from datasets import Audio, Video

    if isinstance(feature, dict) and not is_image(feature):
        return any(_holds_media(inner) for inner in feature.values())
    if isinstance(feature, list):
        return _holds_media(feature[0])
    inner = getattr(feature, "feature", None)
    return (
        is_image(feature)
        or isinstance(feature, (Audio, Video))
        or (inner is not None and _holds_media(inner))
    )


def payload_indexes(source: Source, fields: Sequence[str] | None) -> dict[str, models.PayloadSchemaType]:
    """Field -> index kind, for those of `fields` that the source has.

    None, or where it has none of them: for all class labels, text, whole numbers and booleans.
    """
    from datasets import ClassLabel, Value
    from qdrant_client import models

    if fields is not None and not fields:
        return {}
    kinds: dict[str, models.PayloadSchemaType] = {}
    for name in source.payload_columns:
        if name == source.path_column and name not in (fields or ()):
            continue  # every picture has a path of its own
        feature = source.features.get(name)
        if isinstance(feature, ClassLabel):
            kinds[name] = models.PayloadSchemaType.KEYWORD
        elif isinstance(feature, Value):
            if "string" in feature.dtype:
                kinds[name] = models.PayloadSchemaType.KEYWORD
            elif feature.dtype == "bool":
                kinds[name] = models.PayloadSchemaType.BOOL
            elif "int" in feature.dtype:
                kinds[name] = models.PayloadSchemaType.INTEGER
    wanted = {name: kind for name, kind in kinds.items() if name in (fields or ())}
    return wanted or kinds


def decode_payload(source: Source, table: pa.Table) -> list[dict[str, Any]]:
    """The payload of N rows of `read_rows`, as N dicts that JSON can hold.

    Class ids become names (None where unlabelled), times ISO 8601 strings, durations seconds, bytes base64,
    NaN and infinities None. Columns that hold images or sound are not payload and are left out. Long texts
    and lists are cut (`pipeline.points.bounded`).
    """
    names = {source.row_name(column): column for column in source.payload_columns}
    present = [name for name in table.column_names if name in names]
    decoded = [
        [
            bounded(_plain(value, source.features[names[name]]))
            for value in table[name].to_pylist(maps_as_pydicts="lossy")
        ]
        for name in present
    ]
    keys = [names[name] for name in present]
    return [dict(zip(keys, values, strict=True)) for values in zip(*decoded, strict=True)] or [
        {} for _ in range(table.num_rows)
    ]


def _plain(value: Any, feature: Any) -> Any:
    """`value` as JSON can hold it; `feature` says which integers are classes."""
    from datasets import ClassLabel

    if isinstance(feature, ClassLabel) and isinstance(value, int):
        return feature.names[value] if 0 <= value < len(feature.names or ()) else None
    if isinstance(value, dict):
        fields: dict[str, Any] | Features = feature if isinstance(feature, dict) else {}
        return {str(key): _plain(item, fields.get(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
        return [_plain(item, inner) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
