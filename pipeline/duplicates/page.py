"""The copies of a collection as one self-contained HTML page."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from pipeline.duplicates.assemble import Duplicates
from pipeline.duplicates.listing import path_of
from pipeline.report.environment import page_environment
from pipeline.report.pictures import load_pictures
from pipeline.store import Store
from pipeline.store.manifest import Version

__all__ = ["duplicates_page"]

_GROUPS = 200  # that are shown, with some 5 kB a picture
_PICTURES = 8  # of a group


def duplicates_page(
    store: Store, version: Version, found: Duplicates, settings: dict[str, Any], seconds: float
) -> str:
    """The page: figures, and the first 200 groups with their pictures.

    Args:
        settings: name -> value, of what counted as a copy.
        seconds: that the search took.
    """
    shown = found.groups[:_GROUPS]
    ids = [member.id for group in shown for member in group.members[:_PICTURES]]
    kinds = Counter(member.kind for group in found.groups for member in group.members[1:])
    exact = sum(len(member.places) - 1 for group in found.groups for member in group.members)
    return (
        page_environment()
        .get_template("duplicates.html.j2")
        .render(
            manifest=version.manifest,
            title=version.manifest.title or version.manifest.collection,
            found=found,
            kinds={"exact": exact, **{kind: kinds[kind] for kind in ("re-encoded", "edited", "mirrored")}},
            groups=shown,
            most=_PICTURES,
            pictures=load_pictures(store, version.name, ids, version.manifest.labels),
            settings=settings,
            seconds=seconds,
            path_of=path_of,
            made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        )
    )
