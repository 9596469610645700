"""What is done with a selection of hits: taken along, searched from, and by the owner tagged or deleted."""

import logging
from dataclasses import dataclass
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import Card, grid_html, query_picture
from page.components.event_wiring import UNCHANGED, named_outputs
from page.components.hits import HitsView
from page.components.selection import FOR_THE_OWNER, Selected, selected_in
from page.editing import READ_ONLY, delete_pictures, tag_pictures
from page.rate_limit import counts_as_search
from page.selection_export import export_selection
from page.shared_state import MAX_PICTURES, Query, Shared
from page.wording import note
from pipeline.errors import SimileError

__all__ = ["SelectionHandlers", "SelectionUpdate", "connect_selection"]

log = logging.getLogger("simile")


@dataclass(frozen=True)
class SelectionUpdate:
    """What an action on a selection changes."""

    status: Any = UNCHANGED
    files: Any = UNCHANGED
    grid: Any = UNCHANGED
    cards: Any = UNCHANGED
    request: Any = UNCHANGED


def connect_selection(shared: Shared, bar: gr.HTML, hits: HitsView, status: gr.HTML, files: gr.File) -> None:
    """Connects the bar."""
    do = SelectionHandlers(shared.library)
    shown = {
        "status": status,
        "files": files,
        "grid": hits.grid,
        "cards": hits.cards,
        "request": shared.request,
    }
    bar.click(
        **named_outputs(do.act, shown),
        inputs=[hits.cards, shared.query],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=status,
    )


class SelectionHandlers:
    """Over the collections of one library."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    @counts_as_search
    def act(self, cards: list[Card], query: Query | None, event: gr.EventData) -> SelectionUpdate:
        """Does what was asked for; one sentence says what came of it."""
        selected = selected_in(event, cards)
        if selected is None:
            return SelectionUpdate()
        try:
            if selected.action in FOR_THE_OWNER and not self._library.edits:
                raise SimileError(READ_ONLY)
            if selected.action == "export":
                return self._export(selected)
            if selected.action == "from":
                return _search_from(selected)
            if selected.action == "delete":
                return self._delete(selected, cards, query)
            return self._tag(selected)
        except SimileError as error:
            return SelectionUpdate(status=note(str(error), problem=True))
        except Exception:
            log.exception("a selection cannot be used")
            return SelectionUpdate(status=note("This could not be done.", problem=True))

    def _export(self, selected: Selected) -> SelectionUpdate:
        files, left = export_selection(self._library, selected.cards)
        said = f"{_pictures(len(selected.cards))} to download below" + (f"; {left}" if left else "")
        return SelectionUpdate(status=note(said), files=gr.update(value=files, visible=True))

    def _tag(self, selected: Selected) -> SelectionUpdate:
        remove = selected.action == "untag"
        ids = [shown.id for shown in selected.cards]
        told = tag_pictures(self._library, selected.cards[0].collection, ids, selected.tag, remove=remove)
        many = _pictures(told["untagged" if remove else "tagged"])
        said = f"{many} lost the tag “{told['tag']}”" if remove else f"{many} got the tag “{told['tag']}”"
        rest = told["had_it_not" if remove else "had_it"]
        more = f"; {rest:,} {'did not have it' if remove else 'had it already'}" if rest else ""
        return SelectionUpdate(status=note(said + more))

    def _delete(self, selected: Selected, cards: list[Card], query: Query | None) -> SelectionUpdate:
        ids = {shown.id for shown in selected.cards}
        told = delete_pictures(self._library, selected.cards[0].collection, sorted(ids))
        left = [shown for shown in cards if shown.id not in ids]
        return SelectionUpdate(
            status=note(f"{_pictures(told['deleted'])} deleted; {told['rows']:,} are left"),
            grid=grid_html(left, query),
            cards=left,
        )


def _search_from(selected: Selected) -> SelectionUpdate:
    """Up to 32 pictures become the query."""
    likes = tuple(query_picture(shown) for shown in selected.cards[:MAX_PICTURES])
    return SelectionUpdate(request=Query(likes))


def _pictures(count: int) -> str:
    return f"{count:,} picture{'' if count == 1 else 's'}"
