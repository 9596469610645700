"""Map: the whole collection on a plane; dots turn into pictures, a click or a lasso searches from there."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
import numpy as np

from page.collection_library import CollectionLibrary
from page.components.cards import Card, card, grid_html, query_picture
from page.components.event_wiring import QUIET, UNCHANGED, named_outputs, no_update
from page.components.hits import hits_view
from page.components.map_chart import map_chart
from page.components.map_files import MapFiles, OpenMap
from page.rate_limit import counts_as_search
from page.run_search import examples_of
from page.shared_state import SEARCH, Query, Shared
from page.wording import note, readable
from pipeline.errors import SimileError
from pipeline.map import place
from pipeline.search import Collection, Settings
from pipeline.search.query import words_or_vector

__all__ = ["BesideUpdate", "MapHandlers", "build"]

MOST_SHOWN = 36  # pictures beside the map
MOST_SEARCHED = 8  # of them that become one query
NEIGHBOURS = 5  # hits that say where a query belongs
FAILED = "That did not work; whoever runs this page finds the reason in its log."
log = logging.getLogger("simile")


@dataclass(frozen=True)
class ChartUpdate:
    """What the map itself shows."""

    chart: Any = UNCHANGED


@dataclass(frozen=True)
class BesideUpdate:
    """What is shown beside the map: chosen pictures, or the hits of the last search. Default: nothing."""

    row: Any = field(default_factory=lambda: gr.update(visible=False))
    status: str = ""
    grid: str = ""
    cards: list[Card] = field(default_factory=list)
    search: Any = field(default_factory=lambda: gr.update(visible=False))
    open: Any = field(default_factory=lambda: gr.update(visible=False))


def build(shared: Shared, tab: gr.Tab) -> None:
    """The map, and beside it the pictures that were chosen on it or found last."""
    do = MapHandlers(shared.library)
    with gr.Row(elem_classes=["map-and-hits"]):
        with gr.Column(scale=3, min_width=320):
            chart = map_chart()
        with gr.Column(scale=1, min_width=300, elem_id="map-beside"):
            with gr.Row(visible=False, elem_id="map-chosen", elem_classes=["line"]) as row:
                status = gr.HTML(elem_id="map-status")
                search = _button("Search from these", "map-search", variant="primary")
                back = _button("Show in Search", "map-open")
            hits = hits_view("map")
    hits.connect(shared, shared.query)
    visited = gr.State(False)
    shown = [shared.collection, shared.query, shared.hits]
    beside = {
        "row": row,
        "status": status,
        "grid": hits.grid,
        "cards": hits.cards,
        "search": search,
        "open": back,
    }
    found = [shared.query, shared.hits]
    hits_beside: dict[str, Any] = {**named_outputs(do.beside, beside), "inputs": found, **QUIET}
    entered = tab.select(lambda: True, None, visited, **QUIET)
    entered.then(do.show, shown, chart, **QUIET)
    entered.then(**hits_beside)
    # The hits change after the query, and with another collection.
    changes = [shared.collection.change, shared.hits.change]
    again = named_outputs(do.show_again, {"chart": chart, **beside})
    gr.on(changes, **again, inputs=[visited, *shown], trigger_mode="always_last", **QUIET)
    chart.lasso(**named_outputs(do.lasso, beside), inputs=found, **QUIET)
    chart.group(**named_outputs(do.group, beside), inputs=found, **QUIET)
    chart.pick(do.pick, None, shared.request, **QUIET)
    search.click(do.from_cards, hits.cards, shared.request, **QUIET)
    back.click(lambda: gr.Tabs(selected=SEARCH), None, shared.tabs, **QUIET)


def _button(text: str, elem_id: str, **options: Any) -> gr.Button:
    return gr.Button(text, size="sm", scale=0, min_width=120, visible=False, elem_id=elem_id, **options)


class MapHandlers:
    """Answers a look at the map, a click on a picture, a lasso and a label."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library
        self._maps = MapFiles()

    # --- what the browser draws

    def show(self, name: str | None, query: Query | None, hits: Sequence[Card] = ()) -> str:
        """The map of a collection as JSON, with the places of the query and of the hits of the last search;
        or a notice how to make one.
        """
        try:
            found = self._library.open(name)
            opened = self._maps.of(found)
            if opened is None:
                return _facts(
                    notice=f"{found.title} has no map yet. One command makes it:",
                    command=f"python -m ray_jobs.map {found.name}",
                )
            searched = [one for one in hits if one.metric and one.collection == found.name]
            numbers = [opened.numbers.get(one.id) for one in searched if query]
            return _facts(
                **opened.facts,
                **_age(found, opened),
                marker=self._marker(found, opened, query),
                hits=[at for at in numbers if at is not None],
            )
        except SimileError as error:
            return _facts(notice=str(error))
        except Exception:
            log.exception("the map cannot be shown")
            return _facts(notice=FAILED)

    def show_again(
        self, visited: bool, name: str | None, query: Query | None, hits: list[Card]
    ) -> tuple[ChartUpdate, BesideUpdate]:
        """`show` and `beside`, but only for visitors who have looked at the map: it costs a search."""
        if not visited:
            return ChartUpdate(), no_update(BesideUpdate)
        return ChartUpdate(self.show(name, query, hits)), self.beside(query, hits)

    def beside(self, query: Query | None, hits: list[Card]) -> BesideUpdate:
        """The hits of the last search; nothing where nothing was searched."""
        hits = [one for one in hits if one.metric]  # what the visitor likes is none
        if not query or not hits:
            return BesideUpdate()
        return BesideUpdate(
            row=gr.update(visible=True),
            status=note(f"{len(hits)} closest, ringed on the map"),
            grid=grid_html(hits[:MOST_SHOWN], query),
            cards=hits[:MOST_SHOWN],
            open=gr.update(visible=True),
        )

    def _marker(self, found: Collection, opened: OpenMap, query: Query | None) -> list[float] | None:
        examples = examples_of(query.likes, found, self._library) if query else []
        if query and query.text.strip():
            examples.append(words_or_vector(query.text))
        if query is None or not examples:
            return None
        numbers = [opened.numbers.get(example.id or "") for example in examples]
        if len(examples) == 1 and numbers[0] is not None:
            return opened.map.positions[numbers[0]].tolist()
        dislikes = examples_of(query.dislikes, found, self._library)
        hits = found.find(examples, dislikes, Settings(k=NEIGHBOURS)).hits
        near = [(opened.numbers[hit.id], hit.score) for hit in hits if hit.id in opened.numbers]
        if not near:
            return None
        at, scores = zip(*near, strict=True)
        return place(opened.map.positions[list(at)], np.array(scores)).tolist()

    # --- what a visitor does on it

    def pick(self, event: gr.EventData) -> Any:
        """The picture that was clicked becomes the query; what is found is shown beside the map."""
        opened, said = self._said(event)
        at = _whole(said.get("index"), opened)
        if opened is None or at is None:
            return gr.skip()
        return self._from(self._cards(opened, [at]))

    @counts_as_search
    def lasso(self, query: Query | None, hits: list[Card], event: gr.EventData) -> BesideUpdate:
        """The pictures inside the lasso; of many, some at even steps."""
        opened, said = self._said(event)
        indexes = said.get("indexes")
        if opened is None or not isinstance(indexes, list):
            return self.beside(query, hits)
        at = [i for i in (_whole(i, opened) for i in indexes) if i is not None]
        count = said.get("count") if isinstance(said.get("count"), int) else len(at)
        return self._chosen(opened, at, count, "in the lasso") or self.beside(query, hits)

    @counts_as_search
    def group(self, query: Query | None, hits: list[Card], event: gr.EventData) -> BesideUpdate:
        """The pictures of a label; of many, some at even steps. Without a label, the hits again."""
        opened, said = self._said(event)
        labels = opened.map.labels.get(str(said.get("field"))) if opened else None
        value = said.get("value")
        if (
            opened is None
            or labels is None
            or not isinstance(value, int)
            or not 0 <= value < len(labels.names)
        ):
            return self.beside(query, hits)
        at = np.flatnonzero(labels.values == value).tolist()
        where = f"with {readable(labels.names[value])}"
        return self._chosen(opened, at, len(at), where) or self.beside(query, hits)

    def from_cards(self, cards: list[Card]) -> Any:
        """The pictures beside the map become one query; of many, some at even steps."""
        return self._from(_even(cards, MOST_SEARCHED))

    def _said(self, event: gr.EventData) -> tuple[OpenMap | None, dict[str, Any]]:
        said = event._data if isinstance(event._data, dict) else {}
        return self._maps.get(said.get("key")), said

    def _chosen(self, opened: OpenMap, at: list[int], count: int | None, where: str) -> BesideUpdate | None:
        cards = self._cards(opened, _even(at, MOST_SHOWN))
        if not cards:
            return None
        counted = f"{count:,} picture{'' if count == 1 else 's'} {where}"
        line = counted if count == len(cards) else f"{len(cards)} of {counted}, spread evenly"
        few = "these" if len(cards) <= MOST_SEARCHED else f"{MOST_SEARCHED} of these"
        return BesideUpdate(
            row=gr.update(visible=True),
            status=note(line),
            grid=grid_html(cards),
            cards=cards,
            search=gr.update(value=f"Search from {few}", visible=True),
        )

    def _cards(self, opened: OpenMap, at: Sequence[int]) -> list[Card]:
        try:
            found = self._library.open(opened.collection)
            hits = found.get_many([opened.map.ids[i] for i in at])
            return [card(hit, found.name, pictures=self._library.pictures) for hit in hits]
        except SimileError as error:
            gr.Warning(str(error))
        except Exception:
            log.exception("pictures of the map cannot be read")
            gr.Warning(FAILED)
        return []

    @staticmethod
    def _from(cards: Sequence[Card]) -> Any:
        return Query(tuple(query_picture(shown) for shown in cards)) if cards else gr.skip()


def _facts(**facts: Any) -> str:
    return json.dumps({"notice": "", **facts})


def _age(found: Collection, opened: OpenMap) -> dict[str, str]:
    """A notice where the map is older than the collection, or shows only a sample of it."""
    count, there = found.count, len(opened.map.ids)
    if opened.map.facts["points"] != count:
        return {
            "notice": f"This map shows {there:,} of today's {count:,} pictures. To draw it again:",
            "command": f"python -m ray_jobs.map {found.name}",
        }
    if there < count:
        return {"notice": f"A random sample: {there:,} of {count:,} pictures."}
    return {}


def _even(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the items, at even steps from the first to the last one."""
    steps = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[i] for i in steps] if items else []


def _whole(value: Any, opened: OpenMap | None) -> int | None:
    """The number of a point on the map; None for anything else that a browser may send."""
    if opened is None or isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < len(opened.map.ids) else None
