"""What a search for copies leaves with its version, for programs: the first groups, by id."""

from __future__ import annotations

from typing import ClassVar

from pipeline.config.yaml_file import Frozen
from pipeline.duplicates.assemble import Duplicates
from pipeline.store.attached_record import AttachedRecord

__all__ = ["DUPLICATES", "KeptCopy", "KeptDuplicates", "kept_duplicates"]

DUPLICATES = "duplicates.json"  # attachment of a version
_GROUPS, _COPIES = 1_000, 20  # groups that are kept, and pictures of each: some megabytes at most
_PLACES = 3  # of a picture


class KeptCopy(Frozen):
    """A picture of a group: its places, and how it is like the others; see `groups.Member`."""

    id: str
    places: tuple[str, ...]
    kind: str
    correlation: float
    width: int
    height: int


class KeptDuplicates(AttachedRecord):
    """A search for copies.

    Attributes:
        points: that were searched from.
        groups, copies: how many there are altogether.
        first: the groups with the most copies; of each the picture that is to be kept comes first.
    """

    file: ClassVar[str] = DUPLICATES
    job: ClassVar[str] = "duplicates"
    points: int
    groups: int
    copies: int
    first: tuple[tuple[KeptCopy, ...], ...]


def kept_duplicates(found: Duplicates) -> KeptDuplicates:
    """The part of a search that is kept."""
    first = tuple(
        tuple(
            KeptCopy(
                id=member.id,
                places=member.places[:_PLACES],
                kind=member.kind,
                correlation=member.correlation,
                width=member.width,
                height=member.height,
            )
            for member in group.members[:_COPIES]
        )
        for group in found.groups[:_GROUPS]
    )
    return KeptDuplicates(points=found.points, groups=len(found.groups), copies=found.copies, first=first)
