"""Units that are staged without Ray and without a network: a picture's vector is drawn from its bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.indexing.catalogue import Asked, Catalogue, LiveMarks, catalogue_of
from pipeline.indexing.decode_and_embed import Group, Needed, Output
from pipeline.indexing.earlier_rows import EarlierRows, earlier_rows
from pipeline.indexing.staged import Staged
from pipeline.indexing.unit_points import Target, points_of
from pipeline.indexing.unit_rows import UnitRows
from pipeline.projection import Projection
from pipeline.sources import Source, Unit, read_unit, resolve_source, units_of
from pipeline.staging.known import known_pictures
from pipeline.staging.parts import Parts, StagedPicture
from pipeline.staging.rejects import Reject
from pipeline.staging.vectors import Staging
from pipeline.store.unit_record import Entry, Record

__all__ = ["ByHand", "drawn", "points", "projection", "said"]

WIDTH = 4


def drawn(data: bytes) -> np.ndarray:
    """The vector of a picture, (WIDTH,) float64."""
    return np.random.default_rng(sum(data)).normal(size=WIDTH)


def embedded(encoder: str, rows: Sequence[Needed], bad: set[bytes]) -> Group:
    """What a network would make of pictures; those in `bad` cannot be decoded."""
    files = [(point, bytes(data or b"")) for point, _, data in rows]
    broken = [Reject(point, "decode", "no picture", kind="cut short") for point, data in files if data in bad]
    good = [(point, data) for point, data in files if data not in bad]
    vectors = np.array([drawn(data) for _, data in good], np.float32)
    kept = [StagedPicture(point, data, "image/png", 4, 4) for point, data in good]
    return Group(broken, {encoder: Output(vectors.reshape(-1, WIDTH), kept, [])})


def projection() -> Projection:
    """One that leaves vectors as they are, for a vector called `v`."""
    tensors = {"v.matrix": np.eye(WIDTH, dtype=np.float32), "v.offset": np.zeros(WIDTH, np.float32)}
    return Projection.from_tensors(tensors, "v", 0)


@dataclass
class ByHand:
    """A home, and what was asked of the network: ids in the order in which they were embedded."""

    home: Path
    bad: set[bytes] = field(default_factory=set)
    embedded: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    encoder: str = "e"

    @property
    def parts(self) -> Parts:
        return Parts(str(self.home), "things")

    @property
    def stagings(self) -> dict[str, Staging]:
        return {self.encoder: Staging(str(self.home), "things", f"of-{self.encoder}".replace("-", ""))}

    def stage(
        self, root: Path, credit: str | None = None, again: bool = False, **asked: Any
    ) -> tuple[Source, list[Unit]]:
        """List a source and stage what is missing of it.

        Args:
            again: every unit is read again, and its rejects are tried again.
            asked: of `resolve_source`.
        """
        source = resolve_source(str(root), **asked)
        units = units_of(source)
        known = known_pictures(self.parts, self.stagings, again, self.parts.names())
        for unit in units:
            with_rows = again or unit.name not in self.parts.names()
            if not with_rows and unit.name in self.stagings[self.encoder].names():
                continue
            self.read.append(unit.name)
            earlier = EarlierRows()
            if self.parts.has(unit.name):
                earlier = earlier_rows(self.parts, self.stagings, unit.name, credit, with_rows)
            rows = UnitRows(source, self.parts, self.stagings, 1, credit, known, earlier=earlier)
            for table in read_unit(source.without_rows(), unit):
                needed = rows.add(table)
                self.embedded += [point for point, *_ in needed]
                rows.enter([embedded(self.encoder, needed, self.bad)])
            rows.stage(unit.name, with_rows)
        return source, units

    def catalogue(
        self,
        units: Sequence[Unit],
        live: Record | LiveMarks | None = None,
        *,
        keeps: bool = True,
        credit: str | None = None,
        source: str = "source",
        rows_here: int = 10_000,
        rows: int = 0,
        anew: bool = False,
        deleted: Sequence[str] = (),
        adopted: Sequence[Entry] = (),
    ) -> Catalogue:
        asked = Asked(
            [unit.name for unit in units], credit, source, live, keeps, deleted, anew or live is None, adopted
        )
        return catalogue_of(asked, self.parts, self.stagings, rows, rows_here)


def said(catalogue: Catalogue) -> tuple[int, ...]:
    """source, rejected, written, unchanged, repeated, kept or removed."""
    assert catalogue.source == catalogue.rejected + catalogue.from_source + sum(
        (catalogue.unchanged, catalogue.repeated, catalogue.deleted)
    )
    return (
        catalogue.source,
        catalogue.rejected,
        catalogue.from_source,
        catalogue.unchanged,
        catalogue.repeated,
        len(catalogue.gone),
    )


def points(hand: ByHand, catalogue: Catalogue) -> dict[str, dict]:
    """Id -> payload of all that is to be written."""
    target = Target(hand.stagings[hand.encoder], "v", "v_code", projection())
    found = {}
    for load in Staged(catalogue, True, hand.parts, hand.stagings).loads(None, False):
        for each in points_of(load, hand.parts, [target]):
            found.update(zip(each.ids, each.payloads, strict=True))
            assert each.vectors["v"].shape == (len(each.ids), WIDTH)
    return found
