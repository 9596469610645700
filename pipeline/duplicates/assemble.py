"""What the slices found -> groups, with what is stored of each picture."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.duplicates.groups import Group, KeepRule, make_groups
from pipeline.duplicates.pairs import Pair, SliceResult
from pipeline.points import RESERVED
from pipeline.store import Store
from pipeline.store.field_paths import FieldName
from pipeline.store.read_points import in_batches

__all__ = ["Duplicates", "assemble"]

_READ = 1000  # points at once, without their thumbnails


@dataclass(frozen=True)
class Duplicates:
    """The copies of a version.

    Attributes:
        points: that were searched from.
        pairs: of points that show the same.
        groups: those with the most copies first.
    """

    points: int
    pairs: int
    groups: list[Group]

    @property
    def copies(self) -> int:
        """Places that are not kept."""
        return sum(group.copies for group in self.groups)


def assemble(store: Store, version: str, results: Iterable[SliceResult], rule: KeepRule) -> Duplicates:
    """Join the results of all slices.

    Args:
        rule: what is kept of each group.
    """
    points, pairs, wanted = 0, set[Pair](), set[str]()
    for result in results:
        points += result.points
        pairs.update(result.pairs)
        wanted.update(result.repeated)
    wanted.update(point for pair in pairs for point in (pair.first, pair.second))
    fields: list[FieldName] = [(RESERVED, name) for name in ("places", "width", "height")]
    fields += [rule.field] if rule.field else []
    payloads = {
        str(record.id): record.payload or {}
        for some in in_batches(sorted(wanted), _READ)
        for record in store.retrieve(version, some, fields=fields)
    }
    return Duplicates(points, len(pairs), make_groups(pairs, payloads, rule))
