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
from page.components.event_wiring import QUIET, UNCHANGED, named_outputs
from page.components.hits import hits_view
from page.components.map_files import MapFiles, OpenMap
from page.rate_limit import counts_as_search
from page.run_search import examples_of
from page.shared_state import SEARCH, Query, Shared
from page.theme import script
from page.wording import note, readable
from pipeline.errors import SimileError
from pipeline.map import place
from pipeline.search import Collection, Example, Settings

__all__ = ["ChosenUpdate", "MapHandlers", "build", "map_chart"]

MOST_SHOWN = 36  # pictures below the map
MOST_SEARCHED = 8  # of them that become one query
NEIGHBOURS = 5  # hits that say where a query belongs
FAILED = "That did not work; whoever runs this page finds the reason in its log."
HINT = (
    "Drag to move, wheel or pinch to zoom, click a picture to search from it. Lasso (or Shift and drag) "
    "chooses several; so does a label. Keys: arrows, + and −."
)
_HTML = f"""
<div class="notice" hidden></div>
<div class="map" hidden>
  <div class="bar">
    <div class="colour-by" role="group" aria-label="Colour by"></div>
    <button type="button" class="lasso" aria-pressed="false">Lasso</button>
    <button type="button" class="always" aria-pressed="false">Pictures</button>
    <button type="button" class="farther" aria-label="Zoom out">−</button>
    <button type="button" class="closer" aria-label="Zoom in">+</button>
    <button type="button" class="whole">Whole map</button>
  </div>
  <div class="body">
    <div class="stage" tabindex="0" role="application"
         aria-label="Map of pictures. The labels after it list the same pictures.">
      <canvas class="dots"></canvas><canvas class="overlay" aria-hidden="true"></canvas>
      <button type="button" class="lost" hidden>Nothing is here: whole map</button>
      <div class="tip" hidden><canvas></canvas><p></p></div>
    </div>
    <div class="legend" role="group" aria-label="Show the pictures of one label"></div>
  </div>
  <p class="hint">{HINT}</p>
</div>
"""
log = logging.getLogger("simile")


@dataclass(frozen=True)
class ChosenUpdate:
    """What a choice of pictures on the map changes. The default is that nothing is chosen."""

    row: Any = field(default_factory=lambda: gr.update(visible=False))
    status: str = ""
    grid: str = ""
    cards: list[Card] = field(default_factory=list)
    search: Any = UNCHANGED


def build(shared: Shared, tab: gr.Tab) -> None:
    """The map above, and the pictures that were chosen on it below."""
    do = MapHandlers(shared.library)
    chart = map_chart()
    with gr.Row(visible=False, elem_id="map-chosen") as row:
        status = gr.HTML(elem_id="map-status")
        search = gr.Button(
            "Search from these", variant="primary", size="sm", scale=0, min_width=210, elem_id="map-search"
        )
    hits = hits_view("map")
    hits.connect(shared, shared.query)
    visited = gr.State(False)
    shown = [shared.collection, shared.query]
    chosen = {"row": row, "status": status, "grid": hits.grid, "cards": hits.cards, "search": search}
    tab.select(lambda: True, None, visited, **QUIET).then(do.show, shown, chart, **QUIET)
    changes = [shared.collection.change, shared.query.change]
    gr.on(changes, do.show_again, [visited, *shown], chart, trigger_mode="always_last", **QUIET)
    shared.collection.change(**named_outputs(do.forget, chosen), **QUIET)
    chart.lasso(**named_outputs(do.lasso, chosen), **QUIET)
    chart.group(**named_outputs(do.group, chosen), **QUIET)
    go = [shared.request, shared.tabs]
    chart.pick(do.pick, None, go, **QUIET)
    search.click(do.from_cards, hits.cards, go, **QUIET)


def map_chart(facts: str | None = None) -> gr.HTML:
    """What the browser draws: its value is JSON, see `MapHandlers.show`."""
    return gr.HTML(
        facts,
        html_template=_HTML,
        js_on_load=script("map.js"),
        apply_default_css=False,
        elem_id="map",
    )


class MapHandlers:
    """Answers a look at the map, a click on a picture, a lasso and a label."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library
        self._maps = MapFiles()

    # --- what the browser draws

    def show(self, name: str | None, query: Query | None) -> str:
        """The map of a collection as JSON, with the place of the query; or a notice how to make one."""
        try:
            found = self._library.open(name)
            opened = self._maps.of(found)
            if opened is None:
                return _facts(
                    notice=f"{found.title} has no map yet. One command makes it:",
                    command=f"python -m ray_jobs.map {found.name}",
                )
            return _facts(**opened.facts, **_age(found, opened), marker=self._marker(found, opened, query))
        except SimileError as error:
            return _facts(notice=str(error))
        except Exception:
            log.exception("the map cannot be shown")
            return _facts(notice=FAILED)

    def show_again(self, visited: bool, name: str | None, query: Query | None) -> Any:
        """`show`, but only for visitors who have looked at the map, because it costs a search."""
        return self.show(name, query) if visited else gr.skip()

    def _marker(self, found: Collection, opened: OpenMap, query: Query | None) -> list[float] | None:
        examples = examples_of(query.likes, found, self._library) if query else []
        if query and query.text.strip():
            examples.append(Example(text=query.text))
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

    def pick(self, event: gr.EventData) -> tuple[Any, Any]:
        """The picture that was clicked becomes the query; the Search tab opens."""
        opened, said = self._said(event)
        at = _whole(said.get("index"), opened)
        if opened is None or at is None:
            return gr.skip(), gr.skip()
        return self._go(self._cards(opened, [at]))

    @counts_as_search
    def lasso(self, event: gr.EventData) -> ChosenUpdate:
        """The pictures inside the lasso; of many, some at even steps."""
        opened, said = self._said(event)
        indexes = said.get("indexes")
        if opened is None or not isinstance(indexes, list):
            return self.forget()
        at = [i for i in (_whole(i, opened) for i in indexes) if i is not None]
        count = said.get("count") if isinstance(said.get("count"), int) else len(at)
        return self._chosen(opened, at, count, "in the lasso")

    @counts_as_search
    def group(self, event: gr.EventData) -> ChosenUpdate:
        """The pictures of a label; of many, some at even steps."""
        opened, said = self._said(event)
        labels = opened.map.labels.get(str(said.get("field"))) if opened else None
        value = said.get("value")
        if (
            opened is None
            or labels is None
            or not isinstance(value, int)
            or not 0 <= value < len(labels.names)
        ):
            return self.forget()
        at = np.flatnonzero(labels.values == value).tolist()
        return self._chosen(opened, at, len(at), f"with {readable(labels.names[value])}")

    def forget(self) -> ChosenUpdate:
        """Nothing is chosen any more."""
        return ChosenUpdate()

    def from_cards(self, cards: list[Card]) -> tuple[Any, Any]:
        """The pictures below the map become one query; of many, some at even steps."""
        return self._go(_even(cards, MOST_SEARCHED))

    def _said(self, event: gr.EventData) -> tuple[OpenMap | None, dict[str, Any]]:
        said = event._data if isinstance(event._data, dict) else {}
        return self._maps.get(said.get("key")), said

    def _chosen(self, opened: OpenMap, at: list[int], count: int | None, where: str) -> ChosenUpdate:
        cards = self._cards(opened, _even(at, MOST_SHOWN))
        if not cards:
            return self.forget()
        counted = f"{count:,} picture{'' if count == 1 else 's'} {where}"
        line = counted if count == len(cards) else f"{len(cards)} of {counted}, spread evenly"
        few = "these" if len(cards) <= MOST_SEARCHED else f"{MOST_SEARCHED} of these"
        return ChosenUpdate(
            row=gr.update(visible=True),
            status=note(line),
            grid=grid_html(cards),
            cards=cards,
            search=gr.update(value=f"Search from {few}"),
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
    def _go(cards: Sequence[Card]) -> tuple[Any, Any]:
        if not cards:
            return gr.skip(), gr.skip()
        return Query(tuple(query_picture(shown) for shown in cards)), gr.Tabs(selected=SEARCH)


def _facts(**facts: Any) -> str:
    return json.dumps({"notice": "", **facts})


def _age(found: Collection, opened: OpenMap) -> dict[str, str]:
    """A notice where the map is older than the collection, or shows only a sample of it."""
    count, there = found.count, len(opened.map.ids)
    if opened.map.facts["points"] != count:
        return {
            "notice": f"This map shows {there:,} of {count:,} pictures of today. To draw it anew:",
            "command": f"python -m ray_jobs.map {found.name}",
        }
    if there < count:
        return {"notice": f"A fair sample: {there:,} of {count:,} pictures."}
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
