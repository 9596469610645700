"""The rows of one unit while it is embedded: what is known of each, until all of it is staged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.encoders.precomputed import column_of
from pipeline.images.palette import COLOUR_METHOD
from pipeline.indexing.decode_and_embed import Group, Needed, fault_of
from pipeline.indexing.earlier_rows import EarlierRows
from pipeline.points import Row, point_id
from pipeline.sources import Source, decode_payload, image_views, unread_rows
from pipeline.sources.vector_columns import given_vectors
from pipeline.staging.ids import id_bytes
from pipeline.staging.known import Known
from pipeline.staging.parts import REJECT_COLUMNS, SCHEMA, Parts, StagedPicture
from pipeline.staging.rejects import Reject
from pipeline.staging.vectors import Staging

__all__ = ["UnitRows"]

_ANOTHER = Reject(
    None,
    "plan",
    "the picture is another one than when it was staged; --retry-rejects takes it as it is now",
    kind="is another one now",
)


@dataclass
class UnitRows:
    """What one unit becomes.

    Attributes:
        source: of the unit.
        parts: where its rows are staged.
        stagings: encoder name -> where its vectors are staged; their order is that of the bits of `needs`.
        needs: bit i is set where the vectors of encoder i are wanted.
        credit: that the marks are made with.
        known: what is staged already.
        given_lengths: encoder name -> numbers in a vector, of encoders whose vectors the source has.
        earlier: what is staged of the unit.
        rows: of the part, without what a picture has only once.
        pictures, rejects: by id; rejects of what could not be decoded.
        vectors, refused: by encoder and id; rejects of what an encoder could not take.
        seen, attempted: ids of pictures that came up, and of those that had to be embedded.
        kept: ids of earlier rows -> why a row could not be read as that picture now; None: it could.
        single_colour: pictures in which there is nothing but one colour.
    """

    source: Source
    parts: Parts
    stagings: dict[str, Staging]
    needs: int
    credit: str | None
    known: Known
    given_lengths: dict[str, int] = field(default_factory=dict)
    earlier: EarlierRows = field(default_factory=EarlierRows)
    rows: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, StagedPicture] = field(default_factory=dict)
    rejects: dict[str, Reject] = field(default_factory=dict)
    vectors: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    refused: dict[str, dict[str, Reject]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    attempted: set[str] = field(default_factory=set)
    kept: dict[str, Reject | None] = field(default_factory=dict)
    single_colour: int = 0

    def __post_init__(self) -> None:
        self.vectors = {name: {} for name in self.stagings}
        self.refused = {name: {} for name in self.stagings}

    def add(self, table: pa.Table) -> list[Needed]:
        """Enter some rows as they were read. Returns those that have to be embedded.

        The id is that of the very bytes that are embedded.
        """
        files = list(image_views(table))
        payloads = decode_payload(self.source, table)
        places = zip(table["file"].to_pylist(), table["row"].to_pylist(), strict=True)
        given = self._given(table)
        fresh: dict[str, memoryview] = {}
        told = zip(files, payloads, places, unread_rows(table), strict=True)
        for at, (data, payload, (file, row), why) in enumerate(told):
            read: dict[str, Any] = {
                "file": file,
                "row": row,
                "payload": json.dumps(payload, ensure_ascii=False),
            }
            vectors = {name: each[at] for name, each in given.items()}
            if data is None:
                assert why is not None
                read |= {"stage": "plan", "reason": why.reason, "first_bytes": "", "kind": why.kind}
            else:
                read |= self._identified(read, data, vectors)
            entry = self._entry(read)
            self.rows.append(entry)
            point = read.get("point")
            if data is None or point is None or point != entry["point"] or "mark" not in entry:
                continue  # nothing to embed, or another picture than the one that stays
            if point not in self.seen and point not in fresh and not self._is_whole(point):
                fresh[point] = data
                self._enter_given(point, vectors)
        self.seen.update(fresh)
        return self._needed(fresh)

    def _entry(self, read: dict[str, Any]) -> dict[str, Any]:
        """What the part says of the next row: as it is staged, else as it was read.

        A picture that an encoder could not take gives way to the one that is in its place now.
        """
        now, earlier = read.get("point"), self.earlier.entries.get(len(self.rows), {})
        point = earlier.get("point")
        if point is None or (point in self.earlier.refused and now not in (None, point)):
            return {"point": now} if now in self.known.erased else read  # an erased one is a blank row
        if "mark" not in earlier or point in self.known.erased:
            return {"point": point}
        if now is None:
            self.kept[point] = Reject(point, read["stage"], read["reason"], kind=read["kind"])
        else:
            self.kept[point] = None if now == point else replace(_ANOTHER, id=point)
        return earlier

    def _wanted(self) -> list[str]:
        """The encoders whose vectors are wanted."""
        return [name for bit, name in enumerate(self.stagings) if self.needs >> bit & 1]

    def _is_whole(self, point: str) -> bool:
        """Whether all that is wanted of a picture is staged in this unit."""
        return all(point in self.earlier.vectors.get(name, ()) for name in self._wanted())

    def _given(self, table: pa.Table) -> dict[str, list[np.ndarray | str]]:
        """By encoder, of each row the vector that the source has, or why it has none."""
        return {
            name: given_vectors(table[self.source.row_name(column_of(name))], length)
            for name, length in self.given_lengths.items()
        }

    def _identified(
        self, entry: dict[str, Any], data: memoryview, vectors: dict[str, np.ndarray | str]
    ) -> dict[str, Any]:
        digest = hashlib.sha256(data)
        point, given = point_id(self.parts.collection, digest.hexdigest()), _hash_of(vectors)
        row = Row(entry["payload"], (f"{entry['file']}:{entry['row']}",), self.credit, given)
        return {
            "point": point,
            "digest": digest.digest(),
            "mark": int(row.mark, 16),
            "given": given or None,
        }

    def _enter_given(self, point: str, vectors: dict[str, np.ndarray | str]) -> None:
        """Take the vectors of a picture; one that cannot be compared is a reject."""
        for name, vector in vectors.items():
            why = vector if isinstance(vector, str) else fault_of(vector)
            if isinstance(vector, np.ndarray) and not why:
                self.vectors[name][point] = vector
                continue
            column, length = column_of(name), self.given_lengths[name]
            reason = f"the column '{column}' holds {why}; expected {length} numbers"
            self.refused[name][point] = Reject(point, "embed", reason, kind=f"holds {why}")

    def _needed(self, fresh: dict[str, memoryview]) -> list[Needed]:
        """Take what is staged already, and say what is not."""
        needs = dict.fromkeys(fresh, 0)
        for bit, name in enumerate(self.stagings):
            if not self.needs >> bit & 1:
                continue
            if name in self.given_lengths:  # of this row, not of an earlier one; its picture is still needed
                for point in fresh:
                    needs[point] |= (point in self.vectors[name] and point not in self.pictures) << bit
                continue
            for point, found in self.known.find(name, list(fresh)).items():
                if not isinstance(found, Reject):
                    self.pictures[point], self.vectors[name][point] = found
                elif found.stage == "decode" or found.kind == "workers died of it":
                    self.rejects[point] = found
                else:
                    self.refused[name][point] = found
            for point in fresh:
                there = point in self.vectors[name] or point in self.refused[name]
                needs[point] |= (not there) << bit
        wanted = [point for point in fresh if needs[point] and point not in self.rejects]
        self.attempted.update(wanted)
        return [(point, needs[point], fresh[point]) for point in wanted]

    def enter(self, groups: Sequence[Group]) -> None:
        """Take what the networks made."""
        for group in groups:
            self.single_colour += group.single_colour
            self.rejects |= {str(reject.id): reject for reject in group.broken}
            self.pictures |= {picture.id: picture for picture in group.decoded}
            for reject, name in product(group.broken, self.given_lengths):
                self.vectors[name].pop(str(reject.id), None)
            for name, output in group.outputs.items():
                self.refused[name] |= {str(reject.id): reject for reject in output.failed}
                for picture, vector in zip(output.kept, output.vectors, strict=True):
                    self.pictures[picture.id], self.vectors[name][picture.id] = picture, vector

    @property
    def embedded(self) -> int:
        """Pictures that went through all the networks that they had to."""
        refused = {point for those in self.refused.values() for point in those}
        return len(self.attempted - self.rejects.keys() - refused)

    def stage(self, unit: str, with_rows: bool) -> int:
        """Write the vectors and then, if they are wanted, the rows. Returns bytes.

        The rows come last: where they are, all of a unit is there.
        """
        self._settle_kept()
        size = 0
        for name in self._wanted():
            found = self.vectors[name]
            vectors = np.stack(list(found.values())) if found else np.empty((0, 1), np.float16)
            rejects = list(self.refused[name].values())
            size += self.stagings[name].write(unit, list(found), vectors, rejects)
        if with_rows:
            size += self.parts.write(unit, self._table(), self.credit)
        return size

    def _settle_kept(self) -> None:
        """Pictures that stay have what is staged of them; an encoder without a vector rejects them."""
        for point, unread in self.kept.items():
            why = self.rejects.pop(point, None) or unread
            if point in self.earlier.pictures:
                self.pictures.setdefault(point, self.earlier.pictures[point])
            for name in self._wanted():
                if point in self.earlier.vectors.get(name, ()):
                    self.vectors[name][point] = self.earlier.vectors[name][point]
                elif point not in self.vectors[name] and point not in self.refused[name]:
                    assert why is not None
                    self.refused[name][point] = why

    def _table(self) -> pa.Table:
        rows, first = [], set[str]()
        for entry in self.rows:
            point = entry.get("point")
            if point is None:
                rows.append(entry)
                continue
            whole = {**entry, "id": id_bytes(point)}
            if point in self.rejects:
                whole |= {name: getattr(self.rejects[point], name) for name in REJECT_COLUMNS}
            elif point not in first and point in self.pictures:
                picture = self.pictures[point]
                whole |= {
                    "width": picture.width,
                    "height": picture.height,
                    "thumbnail": picture.thumbnail,
                    "thumbnail_type": picture.thumbnail_type,
                    COLOUR_METHOD: picture.colours,
                }
            first.add(point)
            rows.append(whole)
        return pa.Table.from_pylist(rows, SCHEMA)


def _hash_of(vectors: dict[str, np.ndarray | str]) -> int:
    """64 bits of the vectors that the source has of a row; 0 where it has none."""
    if not vectors:
        return 0
    hasher = hashlib.blake2b(digest_size=8)
    for name, vector in vectors.items():
        hasher.update(name.encode())
        hasher.update(vector.encode() if isinstance(vector, str) else vector.tobytes())
    return int.from_bytes(hasher.digest(), "big")
