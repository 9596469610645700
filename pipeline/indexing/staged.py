"""What a version is made of: which staged rows, what is written of them, and what leaves."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.indexing.catalogue import Catalogue
from pipeline.indexing.unit_points import UnitLoad
from pipeline.projection import Projection
from pipeline.staging.ids import id_texts
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging
from pipeline.store.builds import build_key

__all__ = ["Staged"]


@dataclass(frozen=True)
class Staged:
    """What a version is made of.

    Attributes:
        catalogue: which rows.
        keeps: live points that no row of the source has stay.
        parts, stagings: where they are staged.
    """

    catalogue: Catalogue
    keeps: bool
    parts: Parts
    stagings: Mapping[str, Staging]

    @property
    def removed(self) -> list[str]:
        """Live points that leave."""
        return [] if self.keeps else id_texts(self.catalogue.gone)

    def total(self, in_base: bool) -> int:
        """Points of the version; in the live one also those that no unit holds."""
        beside = len(self.catalogue.lost) if in_base and self.keeps else 0
        return self.catalogue.total + beside

    def key(self, settings: str, in_base: bool, projections: Mapping[str, Projection] | None = None) -> str:
        """Hash of what a build or a change makes, to know it again after a crash; see `build_key`."""
        removed = self.removed if in_base else []
        facts = [*self._facts(), *(point.encode() for point in removed)]
        return build_key(settings, facts, projections or {})

    def units(self) -> list[str]:
        """Those that hold a point."""
        held = (self.catalogue.entries[at].unit for at in sorted(self.catalogue.points))
        return list(dict.fromkeys(held))  # two sources may have the same unit

    @property
    def holds_others(self) -> bool:
        """Whether more than the rows of the source are in the version."""
        return self.keeps and bool(len(self.catalogue.gone) or self.catalogue.survivors)

    def _facts(self) -> Iterator[bytes]:
        for at in sorted(self.catalogue.points):
            entry, written = self.catalogue.entries[at], self.catalogue.writes.get(at)
            bits = self.catalogue.points[at].tobytes() + (b"" if written is None else written.tobytes())
            yield f"{entry.unit} {entry.credit} ".encode() + bits
        for first in sorted(self.catalogue.repeats):  # other units may say something else of a point
            yield repr([self.catalogue.entries[first[0]].unit, first[1], self._named(first)]).encode()

    def _named(self, first: tuple[int, int]) -> list[tuple[str, int, str | None]]:
        entries = self.catalogue.entries
        each = self.catalogue.repeats[first]
        return [(entries[at].unit, number, entries[at].credit) for at, number in each]

    def loads(self, files_above: int | None, colours: bool) -> Iterator[UnitLoad]:
        """What is to be written, by unit.

        Args:
            files_above, colours: see `UnitLoad`.
        """
        repeats: dict[int, dict[int, list[tuple[str, int, str | None]]]] = {}
        for first, row in self.catalogue.repeats:
            repeats.setdefault(first, {})[row] = self._named((first, row))
        times = Counter[str]()
        for at in sorted(self.catalogue.writes):
            entry, bits = self.catalogue.entries[at], self.catalogue.writes[at]
            again = times[entry.unit]
            yield UnitLoad(entry.unit, bits, entry.credit, repeats.get(at, {}), files_above, colours, again)
            times[entry.unit] += 1
