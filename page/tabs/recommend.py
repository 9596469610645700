"""Recommend: say what you like and what you do not, and get works by others, each with its reason."""

import logging
from typing import Any

import gradio as gr

from page.components.cards import Card, card, grid_html
from page.components.hits import HitsView, hits_view
from page.components.query_panel import query_panel
from page.library import Library
from page.results import FAILED, find
from page.state import Query, Shared
from page.tabs.search import combine_radio, diversity_slider
from page.text import credit, field_name, milliseconds, note
from page.visitors import is_search
from pipeline.errors import SimileError
from pipeline.search import Collection, Settings

__all__ = ["build"]

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_WORKS, _RECOMMENDED = 24, 24
HINT = "Mark works that you like, or upload one of your own; what you dislike counts too."
log = logging.getLogger("simile")


def build(shared: Shared, tab: gr.Tab) -> None:
    """Tray and wishes on the left; recommended works, and works to choose from, on the right."""
    liked = gr.State()
    with gr.Row(elem_classes=["sides"]):
        with gr.Column(scale=1, min_width=300, elem_classes=["side"]):
            panel = query_panel(liked, "recommend", "A picture that you like")
            others = gr.CheckboxGroup([], label="Not the same", elem_id="others")
            with gr.Group(elem_classes=["at-most"]):
                most = gr.Slider(0, 10, value=0, step=1, label="At most (0: any)", elem_id="at-most")
                of_each = gr.Dropdown([], label="of each", elem_id="of-each")
            combine, diversity = _options()
        with gr.Column(scale=4, min_width=320, elem_classes=["wide"]):
            with gr.Row(elem_classes=["line"]):
                gr.HTML("<h3>Works to choose from</h3>")
                shuffle = gr.Button("Other works", size="sm", elem_id="shuffle", min_width=110, scale=0)
            works = hits_view("works", classes="strip")
            status = gr.HTML(note(HINT), elem_id="recommend-status")
            hits = hits_view("recommend")
            about = gr.HTML()
    do = _Handlers(shared.library)
    wishes = [others, most, of_each, combine, diversity]
    search: dict[str, Any] = {
        "fn": do.recommend,
        "inputs": [liked, shared.collection, *wishes],
        "outputs": [status, hits.grid, hits.cards, about],
        "trigger_mode": "always_last",
        **_QUIET,
    }
    panel.connect(status)
    liked.change(**search)
    gr.on([others.input, most.release, of_each.input, combine.input, diversity.release], **search)
    _connect_works(shared, tab, do, works, shuffle, liked, [others, of_each, most])
    for view in (hits, works):
        view.connect(shared, liked)


def _options() -> tuple[gr.Radio, gr.Slider]:
    """What few will change: folded away, or a phone shows no work without much scrolling."""
    with gr.Accordion("More options", open=False, elem_id="recommend-options"):
        combine = combine_radio("Several likes", "recommend-combine")
        diversity = diversity_slider("More: works less like one another", "recommend-diversity")
    return combine, diversity


def _connect_works(
    shared: Shared,
    tab: gr.Tab,
    do: "_Handlers",
    works: HitsView,
    shuffle: gr.Button,
    liked: gr.State,
    wishes: list[Any],
) -> None:
    """Works appear when the tab is opened, and others with another collection or on request."""
    shown_for = gr.State()
    entered = [shown_for, shared.collection]
    outputs = [shown_for, works.grid, works.cards, *wishes, liked]
    tab.select(do.enter, entered, outputs, **_QUIET)
    shared.collection.change(do.enter, entered, outputs, **_QUIET)
    shuffle.click(do.works, [shared.collection, liked], [works.grid, works.cards], **_QUIET)
    liked.change(lambda cards, query: grid_html(cards, query), [works.cards, liked], works.grid, **_QUIET)


class _Handlers:
    def __init__(self, library: Library) -> None:
        self._library = library

    def enter(self, shown_for: str | None, name: str) -> tuple[Any, ...]:
        """Works and wishes of a collection that was not shown yet; likes of another one are put away."""
        if shown_for == name or not name:
            return (gr.skip(),) * 7
        try:
            found = self._library.open(name)
            fields = [(field_name(field), field) for field in found.filters]
            cards = self._sample(found)
        except SimileError:
            return (gr.skip(),) * 7
        first = found.filters[0] if found.filters else None
        # where there is one label only, others of that label is no wish to start with
        many = len(found.filters) > 1
        return (
            name,
            grid_html(cards),
            cards,
            gr.update(choices=fields, value=[first] if first and many else [], visible=bool(fields)),
            gr.update(choices=fields, value=first, visible=bool(fields)),
            gr.update(value=2 if many else 0, visible=bool(fields)),
            Query(),
        )

    def works(self, name: str, liked: Query | None) -> tuple[Any, Any]:
        """Other works to choose from."""
        try:
            cards = self._sample(self._library.open(name))
        except SimileError:
            return gr.skip(), gr.skip()
        return grid_html(cards, liked), cards

    def _sample(self, found: Collection) -> list[Card]:
        return [card(hit, found.name) for hit in found.sample(_WORKS)]

    @is_search
    def recommend(
        self,
        liked: Query | None,
        name: str,
        others: list[str],
        most: float,
        of_each: str | None,
        combine: Any,
        diversity: float,
    ) -> tuple[Any, ...]:
        """Status, works with reasons, the cards behind them, credit."""
        if not liked:
            return note(HINT), "", [], ""
        try:
            found = self._library.open(name)
            settings = Settings(
                k=_RECOMMENDED,
                combine=combine,
                diversity=float(diversity or 0),
                excluded=_values_of(found, liked, others or []),
                at_most={of_each: int(most)} if most and of_each else None,
                fold=True,
            )
            _, answer, cards = find(self._library, name, liked, settings, explained=True)
        except SimileError as error:
            return note(str(error), problem=True), "", [], ""
        except Exception:
            log.exception("works cannot be recommended")
            return note(FAILED, problem=True), "", [], ""
        line = " · ".join(
            [
                f"{len(cards)} works",
                *_wished(settings),
                *_unknown(liked, name, others or []),
                *milliseconds(answer.times),
            ]
        )
        if not cards:
            line = "No work is left with these wishes; take one away."
        return note(line), grid_html(cards, liked, ordered=not diversity), cards, credit(found.credit)


def _values_of(found: Collection, liked: Query, fields: list[str]) -> dict[str, list[Any]] | None:
    """{field: values} of the liked works of this collection: what recommended ones must not share."""
    ids = [s.point_id for s in liked.sources if s.point_id and s.collection == found.name]
    payloads = [hit.payload for hit in found.get_many(ids)] if ids and fields else []
    excluded: dict[str, list[Any]] = {}
    for field in fields:
        values = [v for payload in payloads for v in _listed(payload.get(field))]
        if values:
            excluded[field] = list(dict.fromkeys(values))
    return excluded or None


def _unknown(liked: Query, name: str, fields: list[str]) -> list[str]:
    """What cannot be heeded: nothing is known of a picture that the collection does not hold."""
    strangers = sum(not (s.point_id and s.collection == name) for s in liked.sources)
    if not strangers or not fields:
        return []
    of = "your picture" if len(liked.sources) == 1 else f"{strangers} of your pictures"
    return [f"the {' and '.join(field_name(field).lower() for field in fields)} of {of} is not known here"]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _wished(settings: Settings) -> list[str]:
    words = [f"not the same {field_name(field).lower()}" for field in settings.excluded or {}]
    for field, most in (settings.at_most or {}).items():
        words.append(f"at most {most} of each {field_name(field).lower()}")
    return words
