"""Stored pictures with their vectors as batches of numpy and Arrow: for other programs, and for analysis."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.fields import FieldKind, Kind, read_time, values_of
from pipeline.points import RESERVED
from pipeline.search.hit_table import without_clash
from pipeline.store import Store
from pipeline.store.filters import qdrant_filter, wanted_of
from pipeline.store.id_slices import WHOLE, IdSlice
from pipeline.store.manifest import EncoderEntry, Version
from pipeline.store.read_points import all_points, in_batches

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ExportedRows", "VectorBatch", "vector_batches"]

BATCH = 1000  # rows; 4 MB of 512 floats and as many bits


@dataclass(frozen=True)
class VectorBatch:
    """N stored pictures, in the order of their ids.

    Attributes:
        ids: (N,).
        vectors: (N, D) float32 of length 1, what the collection compares by cosine.
        codes: (N, B) int8 of −1 and +1, what it compares by Hamming distance.
    """

    ids: list[str]
    vectors: np.ndarray
    codes: np.ndarray


def vector_batches(
    store: Store,
    version: Version,
    entry: EncoderEntry,
    filters: Mapping[str, Any] | None = None,
    within: IdSlice = WHOLE,
    batch: int = BATCH,
) -> Iterator[VectorBatch]:
    """All pictures of a version that pass `filters`, some at a time, with one encoder's vectors.

    Raises:
        SimileError: a field that is no filter, or a value that does not fit its field.
    """
    only = qdrant_filter(wanted_of(version, filters))
    names = [entry.vector, entry.code]
    points = all_points(store, version.name, [], only, names, within=within)
    return (
        VectorBatch(
            [str(record.id) for record in records],
            _matrix(records, entry.vector),
            _matrix(records, entry.code).astype(np.int8),
        )
        for records in in_batches(points, batch)
    )


@dataclass(frozen=True)
class ExportedRows:
    """What is exported of a version, and the columns that it becomes.

    Columns: `id`; the filter fields, typed; `payload`, JSON of all other columns of the source; `places`,
    `width`, `height`, `credit`; `thumbnail` if asked for; and for each encoder its vector, float32, and its
    code, packed to bits (1 is +1, the first bit of a byte is the highest). A filter field whose name is taken
    gets the prefix `source_`.

    Attributes:
        entries: encoders whose vectors are exported.
        filters: as in a search.
        thumbnails: whether the encoded pictures are.
    """

    version: Version
    entries: Sequence[EncoderEntry]
    filters: Mapping[str, Any] | None = None
    thumbnails: bool = False

    def batches(self, store: Store, within: IdSlice = WHOLE) -> "Iterator[pa.RecordBatch]":
        """Record batches of `schema`, in the order of ids.

        Raises:
            SimileError: `filters` that do not fit, or a stored value that does not fit the kind of its field.
        """
        only = qdrant_filter(wanted_of(self.version, self.filters))
        names = [name for entry in self.entries for name in (entry.vector, entry.code)]
        points = all_points(store, self.version.name, None, only, names or None, within=within)
        return (self._batch(records) for records in in_batches(points, BATCH))

    @property
    def schema(self) -> "pa.Schema":
        """The same for every batch and every slice."""
        import pyarrow as pa

        fixed: dict[str, Any] = {
            "payload": pa.string(),
            "places": pa.list_(pa.string()),
            "width": pa.int32(),
            "height": pa.int32(),
            "credit": pa.string(),
        }
        if self.thumbnails:
            fixed |= {"thumbnail": pa.binary(), "thumbnail_type": pa.string()}
        for entry in self.entries:
            projection = self.version.manifest.projection_of(entry)
            fixed[entry.vector] = pa.list_(pa.float32(), projection.dimension)
            fixed[entry.code] = pa.list_(pa.uint8(), -(-projection.bits // 8))
        kinds = self.version.manifest.kinds
        typed = {field: _arrow_type(kinds[field]) for field in self.version.manifest.filters}
        return pa.schema({"id": pa.string(), **without_clash(typed, {"id", *fixed}), **fixed})

    def _batch(self, records: Sequence[models.Record]) -> "pa.RecordBatch":
        import pyarrow as pa

        payloads = [dict(record.payload or {}) for record in records]
        own = [payload.pop(RESERVED, None) or {} for payload in payloads]
        columns: list[Any] = [[str(record.id) for record in records]]
        schema = self.schema
        for field in self.version.manifest.filters:
            columns.append(self._typed(field, [payload.pop(field, None) for payload in payloads]))
        columns.append([json.dumps(payload, ensure_ascii=False) if payload else None for payload in payloads])
        columns += [[each.get(name) for each in own] for name in ("places", "width", "height", "credit")]
        if self.thumbnails:
            columns += [[_decoded(each.get("thumbnail")) for each in own]]
            columns += [[each.get("thumbnail_type") for each in own]]
        for entry in self.entries:
            columns.append(_rows(_matrix(records, entry.vector)))
            columns.append(_rows(np.packbits(_matrix(records, entry.code) > 0, axis=1)))
        arrays = [
            each if isinstance(each, pa.Array) else pa.array(each, field.type)
            for each, field in zip(columns, schema, strict=True)
        ]
        return pa.record_batch(arrays, schema=schema)

    def _typed(self, field: str, values: list[Any]) -> "pa.Array":
        """One filter field of some points, as the kind of the field has it."""
        import pyarrow as pa

        kind = self.version.manifest.kinds[field]
        read = read_time if kind.kind == "time" else lambda value: value
        plain = [
            ([read(one) for one in values_of(value)] if kind.many else read(value))
            if value is not None
            else None
            for value in values
        ]
        try:
            return pa.array(plain, _arrow_type(kind))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise SimileError(
                f"'{field}' of '{self.version.manifest.collection}' holds {kind.words}, and a stored value "
                f"is none of these ({error}); index the collection again."
            ) from None


def _arrow_type(kind: FieldKind) -> Any:
    import pyarrow as pa

    one: dict[Kind, Any] = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("us", "UTC"),
    }
    return pa.list_(one[kind.kind]) if kind.many else one[kind.kind]


def _matrix(records: Sequence[models.Record], name: str) -> np.ndarray:
    return np.asarray([record.vector[name] for record in records], np.float32)  # type: ignore[index,call-overload]


def _rows(matrix: np.ndarray) -> "pa.Array":
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


def _decoded(text: str | None) -> bytes | None:
    return base64.b64decode(text) if text else None
