"""Points that no unit holds become units: an older Simile made them, or a job with another home."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.errors import SimileError
from pipeline.images.palette import COLOUR_METHOD
from pipeline.indexing.record import Entry
from pipeline.points import RESERVED, Row
from pipeline.sources.units import MOST_ROWS
from pipeline.staging.ids import id_bytes
from pipeline.staging.known import Known, known_pictures
from pipeline.staging.parts import SCHEMA, Parts
from pipeline.staging.rejects import Reject
from pipeline.staging.vectors import Staging
from pipeline.store import Store

__all__ = ["adopt"]

_AT_ONCE = 500  # points with thumbnails held at once


def adopt(
    store: Store,
    version: str,
    ids: Sequence[str],
    parts: Parts,
    stagings: Mapping[str, Staging],
) -> list[Entry]:
    """Write parts of points of a live version, so that a new version can take them over.

    Args:
        ids: of the points, whose vectors must be staged.

    Raises:
        SimileError: an encoder has no vectors of some of them.
    """
    known = known_pictures(parts, stagings, False, parts.names())
    entries = []
    for start in range(0, len(ids), MOST_ROWS):
        chosen = ids[start : start + MOST_ROWS]
        vectors = {name: _vectors(known, name, chosen, len(ids), parts.collection) for name in stagings}
        by_credit: dict[str | None, list[str]] = defaultdict(list)
        told: dict[str, dict[str, Any]] = {}
        for at in range(0, len(chosen), _AT_ONCE):
            for record in store.retrieve(version, list(chosen[at : at + _AT_ONCE])):
                told[str(record.id)] = dict(record.payload or {})
        for point in chosen:
            by_credit[told[point][RESERVED].get("credit")].append(point)
        for credit, those in by_credit.items():
            digest = hashlib.sha256(json.dumps([version, credit, those]).encode()).hexdigest()
            unit = f"{digest[:24]}-{digest[24:32]}"
            for name, staging in stagings.items():
                staging.write(unit, those, np.stack([vectors[name][point][1] for point in those]), [])
            first = next(iter(vectors.values()))
            rows = [row for point in those for row in _rows(point, told[point], credit, first[point][0])]
            columns = {name: [row.get(name) for row in rows] for name in SCHEMA.names}
            table = {name: pa.array(columns[name], SCHEMA.field(name).type) for name in SCHEMA.names}
            parts.write(unit, pa.table(table, SCHEMA), credit)
            entries.append(Entry(unit, None, credit))
    return entries


def _vectors(known: Known, encoder: str, ids: Sequence[str], every: int, collection: str) -> dict[str, Any]:
    found = known.find(encoder, ids, dict.fromkeys(ids, 1))
    there = {point: one for point, one in found.items() if not isinstance(one, Reject)}
    if len(there) < len(ids):
        raise SimileError(missing_vectors(collection, encoder, every, len(ids) - len(there)))
    return there


def missing_vectors(collection: str, encoder: str, points: int, missing: int) -> str:
    """What a job says that would lose points."""
    return (
        f"'{collection}' holds {points:,} pictures beside those of this job (added, gone from the source, or "
        f"beyond --limit), and {missing:,} have no vectors of '{encoder}': a new version would lose them. "
        "Take a source that has them all, or another collection's name; --sync, without --limit, builds "
        "without them."
    )


def _rows(point: str, payload: dict[str, Any], credit: str | None, picture: Any) -> list[dict[str, Any]]:
    """A row for each place of a point; the first one has the picture."""
    own = payload.pop(RESERVED)
    text = json.dumps(payload, ensure_ascii=False)
    rows = []
    for place in own["places"]:
        file, _, number = place.rpartition(":")
        mark = int(Row(text, (place,), credit).mark, 16)
        rows.append(
            {
                "id": id_bytes(point),
                "file": file,
                "row": int(number),
                "payload": text,
                "mark": mark,
                "rules": 1,
            }
        )
    rows[0] |= {
        "width": own["width"],
        "height": own["height"],
        "thumbnail": picture.thumbnail,
        "thumbnail_type": picture.thumbnail_type,
        COLOUR_METHOD: picture.colours,
    }
    return rows
