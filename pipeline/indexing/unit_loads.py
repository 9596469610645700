"""What is to be written of each unit, and what that says of the version: from the catalogue."""

from collections.abc import Iterator

from pipeline.indexing.catalogue import Catalogue
from pipeline.indexing.unit_points import UnitLoad

__all__ = ["facts_of_points", "unit_loads"]


def unit_loads(catalogue: Catalogue, files_above: int | None, colours: bool) -> Iterator[UnitLoad]:
    """What is to be written, by unit; `files_above` and `colours` as in `UnitLoad`."""
    repeats: dict[int, dict[int, list[tuple[str, int, str | None]]]] = {}
    for (first, row), those in catalogue.repeats.items():
        named = [(catalogue.entries[at].unit, number, catalogue.entries[at].credit) for at, number in those]
        repeats.setdefault(first, {})[row] = named
    for at in sorted(catalogue.writes):
        entry = catalogue.entries[at]
        rows = catalogue.rows(catalogue.writes, at)
        yield UnitLoad(entry.unit, rows, entry.credit, repeats.get(at, {}), files_above, colours)


def facts_of_points(catalogue: Catalogue) -> Iterator[bytes]:
    """Which rows are points and which of them are written: builds of other ones must not be mixed."""
    for at in sorted(catalogue.points):
        entry = catalogue.entries[at]
        written = catalogue.writes.get(at)
        bits = catalogue.points[at].tobytes() + (b"" if written is None else written.tobytes())
        yield f"{entry.unit} {entry.credit} ".encode() + bits
