"""Payload columns of a source: which they are, what they are in JSON, and what a filter finds in each."""

from __future__ import annotations

import base64
import datetime
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.fields import FieldKind, Kind, in_utc
from pipeline.points import bounded
from pipeline.sources.python_values import python_values
from pipeline.sources.source import Source, is_image

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

__all__ = ["decode_payload", "field_kinds", "payload_columns", "split_columns"]

# `decimal128(10, 2)`: 10 digits, 2 of them after the point. Those that a float or an integer cannot hold
# exactly stay text.
_DECIMAL = re.compile(r"decimal\d+\((\d+), ?(-?\d+)\)")
_INT64_DIGITS, _FLOAT_DIGITS = 18, 15
# Beginnings of the names that `datasets` has for types. A uint64 need not fit Qdrant's integers, which have a
# sign; as text it stays exact and can still be looked up. "null" is a column without any value.
_KINDS: dict[tuple[str, ...], Kind] = {
    ("string", "large_string", "uint64", "time32", "time64", "null"): "text",
    ("int", "uint"): "integer",
    ("float", "duration"): "number",
    ("bool",): "boolean",
    ("timestamp", "date"): "time",
}


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


def field_kinds(source: Source, fields: Sequence[str] | None) -> dict[str, FieldKind]:
    """Field -> what it holds, for the payload columns that shall be filters.

    Args:
        fields: their names; None: all columns that can be, but for those without any value, the path of a
            folder's pictures, and lists of anything but text: numbers in a list are a box or a vector more
            often than something to look for.

    Raises:
        SimileError: a column that the source lacks, or that cannot be filtered, is named.
    """
    kinds = {column: _field_kind(source, column) for column in source.payload_columns}
    if fields is None:
        empty = {name for name in kinds if getattr(source.features.get(name), "dtype", None) == "null"}
        if source.path_column:
            empty.add(source.path_column)  # every picture has a path of its own
        found = {name: kind for name, kind in kinds.items() if isinstance(kind, FieldKind)}
        return {
            n: kind for n, kind in found.items() if n not in empty and (kind.kind == "text" or not kind.many)
        }
    missing = [name for name in fields if name not in kinds]
    if missing:
        raise SimileError(
            f"Filters {sorted(missing)} are not columns of {source.name}; "
            f"there are: {', '.join(kinds) or 'none'}."
        )
    chosen: dict[str, FieldKind] = {}
    for name in fields:
        kind = kinds[name]
        if not isinstance(kind, FieldKind):
            raise SimileError(
                f"'{name}' of {source.name} cannot be a filter: it holds {kind}. Take it out of `filters:`, "
                "or put what you look for in a column of its own."
            )
        chosen[name] = kind
    return chosen


def split_columns(source: Source, separators: Mapping[str, str]) -> Source:
    """The source with text columns that hold several values, as `red;big`; they are read as lists of text.

    Args:
        separators: column -> what stands between its values.

    Raises:
        SimileError: a column is no text, or the source lacks it.
    """
    for column in separators:
        kind = _field_kind(source, column) if column in source.payload_columns else None
        if kind != FieldKind("text"):
            holds = kind.words if isinstance(kind, FieldKind) else kind
            why = (
                f"it holds {holds}" if holds else f"there are: {', '.join(source.payload_columns) or 'none'}"
            )
            raise SimileError(f"`lists:` names '{column}', which is no text column of {source.name}; {why}.")
    return replace(source, separators=dict(separators))


def _field_kind(source: Source, column: str) -> FieldKind | str:
    """What a payload column holds, or, where it cannot be filtered, that in words."""
    feature = source.features.get(column)
    if column in source.separators:
        return FieldKind("text", many=True)
    inner = _element(feature)
    if inner is None:
        return _scalar_kind(feature)
    kind = _scalar_kind(inner)
    return FieldKind(kind.kind, many=True) if isinstance(kind, FieldKind) else f"lists of {kind}"


def _element(feature: Any) -> Any:
    """What a list is of; None where the feature is no list."""
    if isinstance(feature, list):
        return feature[0]
    return getattr(feature, "feature", None)


def _scalar_kind(feature: Any) -> FieldKind | str:
    from datasets import ClassLabel, Value

    if isinstance(feature, ClassLabel):
        return FieldKind("text")
    if not isinstance(feature, Value):
        inner = _element(feature)
        return "lists" if inner is not None else "records" if isinstance(feature, dict) else "arrays"
    dtype = feature.dtype
    decimal = _DECIMAL.match(dtype)
    if decimal:
        digits, places = int(decimal[1]), int(decimal[2])
        if digits <= (_INT64_DIGITS if places <= 0 else _FLOAT_DIGITS):
            return FieldKind("integer" if places <= 0 else "number")
        return FieldKind("text")
    for names, kind in _KINDS.items():
        if dtype.startswith(names):
            return FieldKind(kind)
    return "bytes" if "binary" in dtype else dtype


def decode_payload(source: Source, table: pa.Table) -> list[dict[str, Any]]:
    """The payload of N rows of `read_rows`, as N dicts that JSON can hold.

    Class ids become names (None where unlabelled), times ISO 8601 strings in UTC (those without a zone are
    taken for UTC), durations seconds, bytes base64, uint64 text, NaN and infinities None. Text of a column
    that `split_columns` named becomes a list. Columns that hold images or sound are left out. Long texts and
    lists are cut (`pipeline.points.bounded`). What Python cannot hold is treated as `python_values` says.
    """
    names = {source.row_name(column): column for column in source.payload_columns}
    present = [name for name in table.column_names if name in names]
    decoded = [
        [
            bounded(
                _split(value, source.separators[names[name]])
                if names[name] in source.separators
                else _plain(value, source.features[names[name]])
            )
            for value in python_values(names[name], table[name])
        ]
        for name in present
    ]
    keys = [names[name] for name in present]
    return [dict(zip(keys, values, strict=True)) for values in zip(*decoded, strict=True)] or [
        {} for _ in range(table.num_rows)
    ]


def _split(text: str | None, separator: str) -> list[str] | None:
    """`red; big` -> `["red", "big"]`."""
    return None if text is None else [part.strip() for part in text.split(separator) if part.strip()]


def _plain(value: Any, feature: Any) -> Any:
    """`value` as JSON can hold it; `feature` says which integers are classes."""
    from datasets import ClassLabel

    if isinstance(feature, ClassLabel) and isinstance(value, int):
        return feature.names[value] if 0 <= value < len(feature.names or ()) else None
    if isinstance(value, dict):
        fields: dict[str, Any] | Features = feature if isinstance(feature, dict) else {}
        return {str(key): _plain(item, fields.get(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, _element(feature)) for item in value]
    if isinstance(value, int) and getattr(feature, "dtype", None) == "uint64":
        return str(value)
    if isinstance(value, Decimal):
        kind = _scalar_kind(feature)
        return (
            int(value)
            if kind == FieldKind("integer")
            else float(value)
            if kind == FieldKind("number")
            else str(value)
        )
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.datetime):
        return in_utc(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
