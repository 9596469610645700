"""Insights: clusters by name, what is most typical and most unusual, and labels that may be wrong.

The tab is there where ray_jobs.insights has left its result with the live version.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import Card, card, grid_html
from page.components.event_wiring import QUIET, UNCHANGED, named_outputs
from page.components.hits import hits_view
from page.rate_limit import counts_as_search
from page.run_search import FAILED
from page.shared_state import Query, Shared
from page.wording import field_name, note, readable, result_line
from pipeline.errors import SimileError
from pipeline.insights.kept import KeptDoubt, KeptInsights
from pipeline.search import Collection, Hit

__all__ = ["InsightsHandlers", "InsightsUpdate", "build"]

_TYPICAL, _UNUSUAL, _DOUBTS = 6, 24, 24  # pictures of a cluster, and of each further section
log = logging.getLogger("simile")


@dataclass(frozen=True)
class InsightsUpdate:
    """What a look at the insights changes."""

    status: Any = UNCHANGED
    grid: str = ""
    cards: list[Card] = field(default_factory=list)


def build(shared: Shared, tab: gr.Tab) -> None:
    """One section a cluster, one for what is unusual, and one for each field of labels."""
    status = gr.HTML("", elem_id="insights-status")
    hits = hits_view("insights")
    hits.connect(shared, shared.query)
    do = InsightsHandlers(shared.library)
    shown = {"status": status, "grid": hits.grid, "cards": hits.cards}
    look: dict[str, Any] = {**named_outputs(do.look, shown), **QUIET}
    inputs = [shared.collection, shared.query]
    tab.select(**look, inputs=inputs)
    events: list[Any] = [shared.page.load, shared.collection.change]
    for event in events:
        event(do.is_there, shared.collection, tab, **QUIET)
    shared.collection.change(**named_outputs(lambda: InsightsUpdate(status=""), shown), **QUIET)


class InsightsHandlers:
    """Over the collections of one library."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    def is_there(self, name: str | None) -> Any:
        """Whether the tab is shown: there is something to show."""
        try:
            found = self._library.open(name)
            return gr.update(visible=KeptInsights.of(found) is not None)
        except SimileError as error:
            log.info("insights of %r: %s", name, error)
        except Exception:
            log.exception("insights cannot be read")
        return gr.update(visible=False)

    @counts_as_search
    def look(self, name: str | None, query: Query | None) -> InsightsUpdate:
        """What the job has left of the live version; pictures that are gone since are left out."""
        try:
            found = self._library.open(name)
            kept = KeptInsights.of(found)
            if kept is None:
                return InsightsUpdate(status=note(f"{found.title} has no insights yet."))
            return _shown(found, kept, query)
        except SimileError as error:
            return InsightsUpdate(status=note(str(error), problem=True))
        except Exception:
            log.exception("insights cannot be shown")
            return InsightsUpdate(status=note(FAILED, problem=True))


def _shown(found: Collection, kept: KeptInsights, query: Query | None) -> InsightsUpdate:
    sections = _sections(found, kept)
    cards: list[Card] = []
    body = ""
    for title, words, own in sections:
        grid = grid_html(own, query, start=len(cards))
        body += f"<section><h2>{escape(title)}</h2><p>{escape(words)}</p>{grid}</section>" if grid else ""
        cards += own
    of = f"{kept.pictures:,}" if kept.pictures == kept.total else f"{kept.pictures:,} of {kept.total:,}"
    said = f"{len(kept.clusters)} clusters of {of} pictures"
    details = [
        f"{kept.covered:.0%} match the most typical picture of a cluster",
        f"{kept.copies:.0%} have a near-duplicate",
        kept.encoder,
    ]
    return InsightsUpdate(result_line(said, details), f'<div class="insights">{body}</div>', cards)


def _sections(found: Collection, kept: KeptInsights) -> list[tuple[str, str, list[Card]]]:
    """Title, a line, and cards of each section."""
    wanted = [one for cluster in kept.clusters for one in cluster.typical[:_TYPICAL]]
    wanted += kept.unusual[:_UNUSUAL]
    wanted += [doubt.id for each in kept.fields for doubt in each.doubts[:_DOUBTS]]
    hits = {hit.id: hit for hit in found.get_many(list(dict.fromkeys(wanted)))}
    sections = [
        (
            readable(cluster.name).capitalize(),
            f"{cluster.pictures:,} pictures; the most typical",
            _cards(found, hits, cluster.typical[:_TYPICAL]),
        )
        for cluster in kept.clusters
    ]
    unusual = _cards(found, hits, kept.unusual[:_UNUSUAL])
    sections.append(("Most unusual", "furthest from their nearest pictures", unusual))
    for each in kept.fields:
        if each.doubtful:
            words = f"{each.doubtful:,} pictures whose neighbours have another label; the surest"
            cards = [_doubted(found, hits, doubt) for doubt in each.doubts[:_DOUBTS] if doubt.id in hits]
            sections.append((f"{field_name(each.field)}: may be wrong", words, cards))
    return sections


def _cards(found: Collection, hits: Mapping[str, Hit], ids: Iterable[str]) -> list[Card]:
    there: Sequence[str] = [one for one in ids if one in hits]
    return [card(hits[one], found.name) for one in there]


def _doubted(found: Collection, hits: Mapping[str, Hit], doubt: KeptDoubt) -> Card:
    words = f"{readable(doubt.label)}; its neighbours: {readable(doubt.suggested)} ({doubt.other:.0%})"
    return card(hits[doubt.id], found.name, reason=words)
