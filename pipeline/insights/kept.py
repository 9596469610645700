"""What an examination leaves with its version, for the page and programs: a few hundred pictures by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pipeline.config.yaml_file import Frozen
from pipeline.insights.examine import Insights
from pipeline.store.attached_record import AttachedRecord
from pipeline.store.manifest import EncoderEntry

__all__ = [
    "INSIGHTS",
    "KeptCluster",
    "KeptDoubt",
    "KeptField",
    "KeptInsights",
    "kept_insights",
]

INSIGHTS = "insights.json"  # attachment of a version
_TYPICAL = 12  # pictures of a cluster
_DOUBTS = 200  # of a field


class KeptCluster(Frozen):
    """Pictures that are near each other; `typical` are ids, the most typical first."""

    name: str
    pictures: int
    tightness: float
    typical: tuple[str, ...]


class KeptDoubt(Frozen):
    """A label that may be wrong, and what the neighbours suggest; `own` and `other` are their shares."""

    id: str
    label: str
    suggested: str
    own: float
    other: float


class KeptField(Frozen):
    """A field of labels: how many are doubtful, and the surest of these."""

    field: str
    doubtful: int
    doubts: tuple[KeptDoubt, ...]


class KeptInsights(AttachedRecord):
    """An examination.

    Attributes:
        encoder: whose vectors were compared.
        pictures, total: that were looked at, of so many.
        covered, copies: shares, see `Insights`.
        clusters: the largest first.
        unusual: ids, the most unusual first.
        fields: of labels.
    """

    file: ClassVar[str] = INSIGHTS
    job: ClassVar[str] = "insights"
    encoder: str
    pictures: int
    total: int
    covered: float
    copies: float
    clusters: tuple[KeptCluster, ...]
    unusual: tuple[str, ...]
    fields: tuple[KeptField, ...]


def kept_insights(found: Insights, entry: EncoderEntry) -> KeptInsights:
    """The part of an examination that is kept."""

    def ids(places: Sequence[int]) -> tuple[str, ...]:
        return tuple(found.ids[int(place)] for place in places)

    return KeptInsights(
        encoder=entry.name,
        pictures=len(found.ids),
        total=found.total,
        covered=round(found.covered, 4),
        copies=round(found.copies, 4),
        clusters=tuple(
            KeptCluster(
                name=each.name,
                pictures=len(each.members),
                tightness=round(each.tightness, 4),
                typical=ids(each.members[:_TYPICAL].tolist()),
            )
            for each in found.clusters
        ),
        unusual=ids(found.unusual),
        fields=tuple(
            KeptField(
                field=each.field,
                doubtful=len(each.doubts),
                doubts=tuple(
                    KeptDoubt(
                        id=found.ids[doubt.place],
                        label=doubt.label,
                        suggested=doubt.suggested,
                        own=doubt.own,
                        other=doubt.other,
                    )
                    for doubt in each.doubts[:_DOUBTS]
                ),
            )
            for each in found.fields
        ),
    )
