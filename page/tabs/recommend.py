"""Recommend: say what you like and what you do not, and get works by others, each with its reason."""

import dataclasses
import logging
from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import Card, card, grid_html
from page.components.event_wiring import QUIET, UNCHANGED, named_inputs, named_outputs
from page.components.hits import HitsView, hits_view
from page.components.query_panel import query_panel
from page.components.search_controls import combine_radio, diversity_slider
from page.rate_limit import counts_as_search
from page.run_search import FAILED, run_search
from page.shared_state import Query, Shared
from page.wording import credit, field_name, milliseconds, note, result_line
from pipeline.errors import SimileError
from pipeline.fields import values_of
from pipeline.search import Collection, Settings

__all__ = ["HINT", "RecommendHandlers", "RecommendUpdate", "Wishes", "WorksUpdate", "build"]

HINT = "Mark works that you like, or upload one of your own; what you dislike counts too."
_WORKS, _RECOMMENDED = 24, 24
log = logging.getLogger("simile")


@dataclass(frozen=True)
class Wishes:
    """What recommended works shall be like. Each field is the value of the control of that name.

    Attributes:
        others: fields that a work must not share with the liked ones, such as `artist`.
        most, of_each: at most so many works of each value of a field; 0 for any number.
    """

    others: list[str] | None = None
    most: float = 0
    of_each: str | None = None
    combine: Literal["any", "average"] = "any"
    diversity: float = 0


@dataclass(frozen=True)
class WorksUpdate:
    """What another collection changes: the works to choose from, the wishes, and the likes.

    `taken` is the query of Search that the likes come from.
    """

    shown_for: Any = UNCHANGED
    grid: Any = UNCHANGED
    cards: Any = UNCHANGED
    others: Any = UNCHANGED
    of_each: Any = UNCHANGED
    most: Any = UNCHANGED
    liked: Any = UNCHANGED
    taken: Any = UNCHANGED


@dataclass(frozen=True)
class RecommendUpdate:
    """What a recommendation changes."""

    status: str
    grid: str = ""
    cards: list[Card] = dataclasses.field(default_factory=list)
    credit: str = ""


def build(shared: Shared, tab: gr.Tab) -> None:
    """Tray and wishes on the left; recommended works, and works to choose from, on the right."""
    liked = gr.State()
    with gr.Row(elem_classes=["sides", "works-first"]):
        with gr.Column(scale=1, min_width=300, elem_classes=["side"]):
            panel = query_panel(liked, "recommend", "A picture that you like")
            wishes = _wishes()
        with gr.Column(scale=4, min_width=320, elem_classes=["wide"]):
            with gr.Row(elem_classes=["line"]):
                gr.HTML("<h2>Works to choose from</h2>")
                shuffle = gr.Button("Other works", size="sm", elem_id="shuffle", min_width=110, scale=0)
            works = hits_view("works", classes="strip voting")
            status = gr.HTML(note(HINT), elem_id="recommend-status")
            hits = hits_view("recommend", classes="voting")
            about = gr.HTML()
    do = RecommendHandlers(shared.library)
    shown = {"status": status, "grid": hits.grid, "cards": hits.cards, "credit": about}
    search: dict[str, Any] = {
        **named_outputs(do.recommend, shown),
        "inputs": [liked, shared.collection, *named_inputs(Wishes, wishes)],
        "trigger_mode": "always_last",
        **QUIET,
    }
    panel.connect(status)
    liked.change(**search)
    changes = [wishes[name].input for name in ("others", "of_each", "combine")]
    gr.on([*changes, wishes["most"].release, wishes["diversity"].release], **search)
    _connect_works(shared, tab, do, works, shuffle, liked, wishes)
    for view in (hits, works):
        view.connect(shared, liked)


def _wishes() -> dict[str, Any]:
    """The controls by the fields of `Wishes`."""
    others = gr.CheckboxGroup([], label="Leave out the same …", elem_id="others")
    with gr.Group(elem_classes=["at-most"]):
        most = gr.Slider(0, 10, value=0, step=1, label="Limit (0: none)", elem_id="at-most")
        of_each = gr.Dropdown([], label="per", elem_id="of-each")
    # Few visitors change these; on a phone they would push the works off the screen.
    with gr.Accordion("More options", open=False, elem_id="recommend-options"):
        combine = combine_radio("Several likes", "recommend-combine")
        diversity = diversity_slider("More: works less like one another", "recommend-diversity")
    return {
        "others": others,
        "most": most,
        "of_each": of_each,
        "combine": combine,
        "diversity": diversity,
    }


def _connect_works(
    shared: Shared,
    tab: gr.Tab,
    do: "RecommendHandlers",
    works: HitsView,
    shuffle: gr.Button,
    liked: gr.State,
    wishes: dict[str, Any],
) -> None:
    """Works appear when the tab is opened, and others with another collection or on request."""
    shown_for, taken = gr.State(), gr.State()
    changed = {
        "shown_for": shown_for,
        "taken": taken,
        "grid": works.grid,
        "cards": works.cards,
        **{name: wishes[name] for name in ("others", "of_each", "most")},
        "liked": liked,
    }
    enter: dict[str, Any] = {
        **named_outputs(do.enter, changed),
        "inputs": [shown_for, shared.collection, shared.query, liked, taken],
        **QUIET,
    }
    tab.select(**enter)
    shared.collection.change(**enter)
    shuffle.click(do.works, [shared.collection, liked], [works.grid, works.cards], **QUIET)
    liked.change(lambda cards, query: grid_html(cards, query), [works.cards, liked], works.grid, **QUIET)


class RecommendHandlers:
    """Over the collections of one library."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    def enter(
        self,
        shown_for: str | None,
        name: str,
        query: Query | None = None,
        liked: Query | None = None,
        taken: Query | None = None,
    ) -> WorksUpdate:
        """Works and wishes of a collection that was not shown yet; likes of another one are dropped.

        Args:
            query: what Search searches from; it is taken over unless the visitor has changed the likes here.
            taken: what was taken over before.
        """
        if shown_for == name or not name:
            is_own = bool(liked) and liked != taken
            fresh = name and query and query != liked and not is_own
            return WorksUpdate(liked=query, taken=query) if fresh else WorksUpdate()
        try:
            found = self._library.open(name)
            fields = [(field_name(field), field) for field in found.filters]
            cards = self._sample(found)
        except SimileError:
            return WorksUpdate()
        first = found.filters[0] if found.filters else None
        # With one label only, "not the same label" would be a strange wish to start with.
        many = len(found.filters) > 1
        return WorksUpdate(
            shown_for=name,
            grid=grid_html(cards),
            cards=cards,
            others=gr.update(choices=fields, value=[first] if first and many else [], visible=bool(fields)),
            of_each=gr.update(choices=fields, value=first, visible=bool(fields)),
            most=gr.update(value=2 if many else 0, visible=bool(fields)),
            liked=query or Query(),
            taken=query,
        )

    @counts_as_search
    def works(self, name: str, liked: Query | None) -> tuple[Any, Any]:
        """Other works to choose from, as a grid and as cards."""
        try:
            cards = self._sample(self._library.open(name))
        except SimileError:
            return gr.skip(), gr.skip()
        return grid_html(cards, liked), cards

    def _sample(self, found: Collection) -> list[Card]:
        return [card(hit, found.name, pictures=self._library.pictures) for hit in found.sample(_WORKS)]

    @counts_as_search
    def recommend(self, liked: Query | None, name: str, *values: Any) -> RecommendUpdate:
        """Works near the liked ones, each with its reason; `values` are those of `Wishes`."""
        if not liked:
            return RecommendUpdate(note(HINT))
        wishes = Wishes(*values)
        others = wishes.others or []
        try:
            settings = Settings(
                k=_RECOMMENDED,
                combine=wishes.combine,
                diversity=float(wishes.diversity or 0),
                excluded=_values_of(self._library.open(name), liked, others),
                at_most={wishes.of_each: int(wishes.most)} if wishes.most and wishes.of_each else None,
                fold=True,
            )
            result = run_search(self._library, name, liked, settings, explained=True)
        except SimileError as error:
            return RecommendUpdate(note(str(error), problem=True))
        except Exception:
            log.exception("works cannot be recommended")
            return RecommendUpdate(note(FAILED, problem=True))
        said = [f"{len(result.cards)} works that you may like", *_unknown(liked, name, others)]
        line = result_line("; ".join(said), [*_wished(settings), *milliseconds(result.found.times)])
        if not result.cards:
            line = note("No work matches these wishes; remove one.")
        return RecommendUpdate(
            status=line,
            grid=grid_html(result.cards, liked),
            cards=result.cards,
            credit=credit(result.collection.credit),
        )


def _values_of(found: Collection, liked: Query, fields: list[str]) -> dict[str, list[Any]] | None:
    """{field: values} of the liked works of this collection, which recommended works must not share."""
    ids = [one.point_id for one in liked.likes if one.point_id and one.collection == found.name]
    payloads = [hit.payload for hit in found.get_many(ids)] if ids and fields else []
    excluded: dict[str, list[Any]] = {}
    for field in fields:
        values = [v for payload in payloads for v in values_of(payload.get(field))]
        if values:
            excluded[field] = list(dict.fromkeys(values))
    return excluded or None


def _unknown(liked: Query, name: str, fields: list[str]) -> list[str]:
    """A remark on wishes that cannot be kept: of a picture outside of the collection nothing is known."""
    strangers = sum(not (one.point_id and one.collection == name) for one in liked.likes)
    if not strangers or not fields:
        return []
    of = "your picture" if len(liked.likes) == 1 else f"{strangers} of your pictures"
    return [f"the {' and '.join(field_name(field).lower() for field in fields)} of {of} is not known here"]


def _wished(settings: Settings) -> list[str]:
    words = [f"not the same {field_name(field).lower()}" for field in settings.excluded or {}]
    for field, most in (settings.at_most or {}).items():
        words.append(f"at most {most} per {field_name(field).lower()}")
    return words
