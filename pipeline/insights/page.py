"""The insights of a collection as one self-contained HTML page."""

from datetime import UTC, datetime

from pipeline.insights.examine import Insights
from pipeline.report.environment import page_environment
from pipeline.report.pictures import load_pictures
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry, Version

__all__ = ["insights_page"]

_TYPICAL = 6  # pictures of a cluster
_DOUBTS = 48  # pictures of a field


def insights_page(store: Store, version: Version, entry: EncoderEntry, found: Insights) -> str:
    """Clusters with their most typical pictures, unusual pictures, doubtful labels, and a table of labels."""
    typical = [[found.ids[at] for at in cluster.members[:_TYPICAL]] for cluster in found.clusters]
    unusual = [found.ids[at] for at in found.unusual]
    doubts = {each.field: each.doubts[:_DOUBTS] for each in found.fields}
    shown = {point for ids in (*typical, unusual) for point in ids}
    shown |= {found.ids[doubt.place] for some in doubts.values() for doubt in some}
    return (
        page_environment()
        .get_template("insights.html.j2")
        .render(
            manifest=version.manifest,
            title=version.manifest.title or version.manifest.collection,
            entry=entry,
            found=found,
            clusters=list(zip(found.clusters, typical, strict=True)),
            unusual=list(zip(unusual, found.nearness, strict=True)),
            doubts=doubts,
            pictures=load_pictures(store, version.name, shown, version.manifest.labels),
            made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        )
    )
