"""Stage 1, plan: which rows there are, which are the same picture, and which still have to be embedded."""

import hashlib
import json
import time
from collections.abc import Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.images import rules_of
from pipeline.points import Row, point_id
from pipeline.progress import progress
from pipeline.sources import Fault, Source, decode_payload, image_bytes, read_rows, unread_rows
from pipeline.staging.parts import Staging
from pipeline.staging.rejects import Reject

if TYPE_CHECKING:
    from ray.data import Dataset

__all__ = ["Plan", "make_plan", "merged_payload", "missing_rows", "rejects_of", "rows_of"]

# CPUs of a task. Tasks that read from afar mostly wait for the network, so two of them share a core. From
# a disk a second task gains less than the two seconds that its worker takes to start.
_NETWORK_CPUS, _DISK_CPUS = 0.5, 1.0

CHANGED = "the file was changed or removed while the job ran; run the job again"
_CHANGED_KIND = "changed while it was read"


@dataclass(frozen=True)
class Plan:
    """Every row of the source, in its order.

    Attributes:
        table: row_key uint64 · file string · row int64 (position in its file) · id string, null when the
            bytes could not be read · digest string, sha256 of the bytes, null with the id · payload string
            (JSON) · rules int8 (of decoding, see `images.rules_of`; null with the id) · unread
            struct<kind, reason> (why there is no id; null with one) · first bool (not a repeat of an
            earlier row).
        start_up: seconds until the first of Ray's workers was there to read.
        faults: rows beside the table that the listing of the source shows to be none.
    """

    table: pa.Table
    start_up: float = 0.0
    faults: tuple[Fault, ...] = ()

    @property
    def rows(self) -> int:
        """All rows of the source."""
        return int(self.table.num_rows) + len(self.faults)

    def without(self, ids: set[str]) -> "Plan":
        """The same rows, of which those with one of `ids` do not become points."""
        if not ids:
            return self
        stays = [point not in ids for point in self.table["id"].to_pylist()]
        first = pc.and_(self.table["first"], pa.array(stays))
        at = self.table.column_names.index("first")
        return replace(self, table=self.table.set_column(at, "first", first))

    @property
    def unique(self) -> pa.Table:
        """The rows that become points: readable, and the first with their bytes."""
        return self.table.filter(self.table["first"])

    @property
    def unreadable(self) -> pa.Table:
        """Rows without bytes, though the source has them."""
        return self.table.filter(self.table["id"].is_null())

    def rules(self) -> dict[str, int]:
        """Id -> rules of decoding, of the rows that become points and that newer rules may have changed."""
        rows = self.unique.filter(pc.greater(self.unique["rules"], 1))
        return dict(zip(rows["id"].to_pylist(), rows["rules"].to_pylist(), strict=True))

    def places(self) -> dict[str, list[str]]:
        """Id -> all its places in the source, as `file:row`, for ids that occur more than once."""
        found: dict[str, list[str]] = {}
        for row in self.table.select(["id", "file", "row"]).to_pylist():
            if row["id"] is not None:
                found.setdefault(row["id"], []).append(f"{row['file']}:{row['row']}")
        return {point: places for point, places in found.items() if len(places) > 1}


def make_plan(collection: str, source: Source, limit: int | None = None) -> Plan:
    """Read the compressed bytes once, in parallel, and keep only hashes, labels and places."""
    began = time.time()
    cpus = _NETWORK_CPUS if source.is_remote else _DISK_CPUS
    rows: Any = _ordered(read_rows(source, limit=limit, num_cpus=cpus))
    hashed: Any = rows.map_batches(
        _hash_rows, batch_size=1024, batch_format="pyarrow", fn_args=(source, collection), num_cpus=cpus
    )
    tables, ready = [], []
    with progress("plan", min(source.rows, limit or source.rows), "row") as bar:
        for batch in hashed.iter_batches(batch_size=None, batch_format="pyarrow"):
            ready += batch["began"][:1].to_pylist()
            tables.append(batch.drop_columns(["began"]))
            bar.update(batch.num_rows)
    start_up = max(0.0, min(ready, default=began) - began)
    whole = limit is None or limit >= source.rows
    table = pa.concat_tables(tables) if tables else _EMPTY
    return Plan(_number_rows(table), start_up, source.faults if whole else ())


_UNREAD = pa.struct([("kind", pa.string()), ("reason", pa.string())])
_EMPTY = pa.table(
    {
        "row_key": pa.array([], pa.uint64()),
        "file": pa.array([], pa.string()),
        "id": pa.array([], pa.string()),
        "digest": pa.array([], pa.string()),
        "payload": pa.array([], pa.string()),
        "rules": pa.array([], pa.int8()),
        "unread": pa.array([], _UNREAD),
    }
)


def _ordered(rows: "Dataset") -> "Dataset":
    """Keep the order of the source: which of two equal pictures is the first must not depend on timing."""
    rows.context.execution_options.preserve_order = True
    return rows


def _hash_rows(table: pa.Table, source: Source, collection: str) -> pa.Table:
    began = time.time()
    files = list(image_bytes(table))
    digests = [None if data is None else hashlib.sha256(data).hexdigest() for data in files]
    rules = [None if data is None else rules_of(data) for data in files]
    ids = [None if digest is None else point_id(collection, digest) for digest in digests]
    payloads = [json.dumps(payload, ensure_ascii=False) for payload in decode_payload(source, table)]
    return pa.table(
        {
            "row_key": table["row_key"],
            "file": table["file"],
            "id": pa.array(ids, pa.string()),
            "digest": pa.array(digests, pa.string()),
            "payload": pa.array(payloads, pa.string()),
            "rules": pa.array(rules, pa.int8()),
            "unread": pa.array([why and why._asdict() for why in unread_rows(table)], _UNREAD),
            "began": pa.repeat(pa.scalar(began), len(ids)),
        }
    )


def _number_rows(table: pa.Table) -> pa.Table:
    """Add `row` (blocks arrived in order, so counting within a file is enough) and `first`."""
    counted: dict[str, int] = {}
    numbers, firsts, seen = [], [], set()
    for file, point in zip(table["file"].to_pylist(), table["id"].to_pylist(), strict=True):
        numbers.append(counted.get(file, 0))
        counted[file] = numbers[-1] + 1
        firsts.append(point is not None and point not in seen)
        seen.add(point)
    keys = table["row_key"].to_numpy()
    if len(np.unique(keys)) < len(keys):
        raise RuntimeError("two rows of the source share a key; please report this with the dataset's name")
    return table.append_column("row", pa.array(numbers, pa.int64())).append_column(
        "first", pa.array(firsts, pa.bool_())
    )


def rows_of(plan: Plan, credit: str | None) -> dict[str, Row]:
    """Id -> row, for every row of the plan that can become a point.

    A picture that stands in several places has the values of all of them, so that it is found by each.
    """
    repeats = plan.places()
    payloads: dict[str, list[str]] = {}
    for point, payload in zip(plan.table["id"].to_pylist(), plan.table["payload"].to_pylist(), strict=True):
        if point in repeats:
            payloads.setdefault(point, []).append(payload)
    return {
        row["id"]: Row(
            merged_payload(payloads[row["id"]]) if row["id"] in payloads else row["payload"],
            tuple(repeats.get(row["id"], [f"{row['file']}:{row['row']}"])),
            credit,
            row["rules"],
        )
        for row in plan.unique.select(["id", "payload", "file", "row", "rules"]).to_pylist()
    }


def merged_payload(payloads: list[str]) -> str:
    """What several rows say of one picture: values that differ become a list, in the order of the rows.

    Args:
        payloads: JSON objects.

    >>> merged_payload(['{"label": "cats", "year": 1990}', '{"label": "favourites", "year": null}'])
    '{"label": ["cats", "favourites"], "year": 1990}'
    """
    if len(set(payloads)) == 1:
        return payloads[0]
    rows = [json.loads(payload) for payload in payloads]
    merged = {name: _merged([row[name] for row in rows]) for name in rows[0]}
    return json.dumps(merged, ensure_ascii=False)


def _merged(values: list[Any]) -> Any:
    """The values of one field; objects are not taken apart, so of them the first counts."""
    there = [value for value in values if value is not None]
    if not there or isinstance(there[0], dict):
        return next(iter(there), None)
    flat = [each for value in there for each in (value if isinstance(value, list) else [value])]
    distinct = list({json.dumps(each): each for each in flat}.values())
    return distinct if len(distinct) > 1 or isinstance(there[0], list) else distinct[0]


def rejects_of(plan: Plan, stagings: dict[str, Staging], changed: Set[str] = frozenset()) -> list[Reject]:
    """Every row of the plan that has no point, repeats included: unreadable, or rejected by an encoder.

    Args:
        changed: ids of rows whose files were not the same any more when they were to be embedded.
    """
    of_picture = {point: Reject(point, "embed", CHANGED, kind=_CHANGED_KIND) for point in changed}
    for staging in stagings.values():
        for reject in staging.rejects():
            of_picture.setdefault(str(reject.id), reject)
    rows = plan.table.select(["id", "file", "row"]).to_pylist()
    found = [
        replace(of_picture[row["id"]], place=f"{row['file']}:{row['row']}")
        for row in rows
        if row["id"] in of_picture
    ]
    for row in plan.unreadable.select(["file", "row", "unread"]).to_pylist():
        found.append(Reject(None, "plan", place=f"{row['file']}:{row['row']}", **row["unread"]))
    return found + [
        Reject(None, "plan", fault.reason, place=fault.place, kind="no picture") for fault in plan.faults
    ]


def missing_rows(plan: Plan, stagings: dict[str, Staging]) -> pa.Table:
    """Unique rows with `needs`: bit i is set when encoder i has no answer for them; sorted by row_key."""
    table = plan.unique
    needs = np.zeros(table.num_rows, np.int64)
    ids = table["id"].to_pylist()
    for bit, staging in enumerate(stagings.values()):
        answered = staging.ids().union(reject.id or "" for reject in staging.rejects())
        needs |= np.array([point not in answered for point in ids], np.int64) << bit
    table = table.append_column("needs", pa.array(needs))
    return table.filter(pa.array(needs > 0)).sort_by("row_key")
