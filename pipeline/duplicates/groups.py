"""Pairs -> groups of pictures that show the same, and which one of each group is kept."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.duplicates.pairs import Pair
from pipeline.errors import SimileError
from pipeline.fields import FieldKind, read_value, values_of
from pipeline.points import RESERVED

__all__ = ["Group", "KeepRule", "Member", "keep_rule", "make_groups"]


_TEXT = FieldKind("text")


@dataclass(frozen=True)
class Member:
    """A picture of a group.

    Attributes:
        places: where it stands in its source; several are exact copies.
        kind, correlation: of its best pair in the group; `exact` and 1 for one that has no other.
    """

    id: str
    places: tuple[str, ...]
    width: int
    height: int
    kind: str
    correlation: float


@dataclass(frozen=True)
class Group:
    """Pictures that show the same; the first one is kept, at its first place."""

    members: tuple[Member, ...]

    @property
    def copies(self) -> int:
        """Places that are not kept."""
        return sum(len(member.places) for member in self.members) - 1


@dataclass(frozen=True)
class KeepRule:
    """Which picture of a group is kept: the one with the least key.

    Attributes:
        field: whose value decides; empty: the number of pixels does, the largest is kept.
        kind: of the field.
        descending: the greatest value is kept, not the least.
    """

    field: str = ""
    kind: FieldKind = _TEXT
    descending: bool = False

    def key(self, payload: Mapping[str, Any]) -> tuple[Any, ...]:
        """For sorting; pictures without a value come last; among equals pixels decide, then the place."""
        own = payload.get(RESERVED) or {}
        pixels = -int(own.get("width") or 0) * int(own.get("height") or 0)
        values = values_of(payload.get(self.field)) if self.field else []
        first = _Ordered(read_value(self.field, self.kind, values[0]), self.descending) if values else 0
        return (not values, first, pixels, min(own.get("places") or [""]))


@dataclass(frozen=True)
class _Ordered:
    value: Any
    descending: bool

    def __lt__(self, other: "_Ordered") -> bool:
        return bool(other.value < self.value if self.descending else self.value < other.value)


def keep_rule(text: str, kinds: Mapping[str, FieldKind], collection: str) -> KeepRule:
    """`largest`, `oldest`, a field (its least value is kept) or `-FIELD` (its greatest).

    >>> keep_rule("-year", {"year": FieldKind("integer")}, "photos")
    KeepRule(field='year', kind=FieldKind(kind='integer', many=False), descending=True)

    Raises:
        SimileError: there is no such filter field, or no single field of times for `oldest`.
    """
    if text == "largest":
        return KeepRule()
    if text == "oldest" and text not in kinds:
        times = [field for field, kind in kinds.items() if kind.kind == "time"]
        if len(times) != 1:
            told = ", ".join(times) or "none"
            raise SimileError(
                f"'{collection}' has no single field of times (it has: {told}); name the field."
            )
        return KeepRule(times[0], kinds[times[0]])
    field = text.removeprefix("-")
    if field not in kinds:
        known = ", ".join(kinds) or "none"
        raise SimileError(f"'{collection}' has no filter field '{field}' to keep by; it has: {known}.")
    return KeepRule(field, kinds[field], text.startswith("-"))


def make_groups(
    pairs: Iterable[Pair], payloads: Mapping[str, Mapping[str, Any]], rule: KeepRule
) -> list[Group]:
    """Pictures that pairs connect, also over others; those with the most copies first.

    Args:
        pairs: in any order, also twice.
        payloads: id -> payload, of the points of all pairs, and of those that stand in several places.
    """
    pairs = set(pairs)
    best: dict[str, Pair] = {}
    for pair in sorted(pairs, key=lambda each: each.correlation):
        best[pair.first] = best[pair.second] = pair
    groups = []
    for ids in _connected(payloads, pairs):
        ordered = sorted((point for point in ids if point in payloads), key=lambda i: rule.key(payloads[i]))
        group = Group(tuple(_member(point, payloads[point], best.get(point)) for point in ordered))
        if group.members and group.copies > 0:
            groups.append(group)
    return sorted(groups, key=lambda group: (-group.copies, group.members[0].id))


def _member(point: str, payload: Mapping[str, Any], pair: Pair | None) -> Member:
    own = payload.get(RESERVED) or {}
    facts = (pair.kind, pair.correlation) if pair else ("exact", 1.0)
    places = tuple(own.get("places") or ("",))
    return Member(point, places, int(own.get("width") or 0), int(own.get("height") or 0), *facts)


def _connected(alone: Iterable[str], pairs: Iterable[Pair]) -> Sequence[list[str]]:
    """Union-find with path halving."""
    above = {point: point for point in alone}

    def top(point: str) -> str:
        above.setdefault(point, point)
        while above[point] != point:
            above[point] = above[above[point]]
            point = above[point]
        return point

    for pair in pairs:
        above[top(pair.first)] = top(pair.second)
    members: dict[str, list[str]] = defaultdict(list)
    for point in list(above):
        members[top(point)].append(point)
    return list(members.values())
