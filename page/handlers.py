"""What happens when a visitor sends a picture, chooses a hit or turns a knob; and the `/search` endpoint."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from page.library import Library
from page.shared import Query, Source
from page.uploads import read_upload, uploaded_path
from page.views import Card, card, credit, details, field_name, figures, note
from pipeline.errors import SimileError
from pipeline.images import decode
from pipeline.search import Collection, Example, Hit, Settings

MAX_FILTERS = 4
MAX_HITS = 100
METRICS = ("cosine", "hamming")
HINT = "Drop in a picture, or start from one of the examples."
FAILED = "The search failed; whoever runs this page finds the reason in its log."

log = logging.getLogger("simile")


@dataclass(frozen=True)
class Knobs:
    """The settings of one search."""

    metric: str = "cosine"
    k: int = 24
    exact: bool = False
    encoder: str | None = None
    filters: dict[str, Any] | None = None

    def checked(self) -> "Knobs":
        """The same, or an error that says what is allowed."""
        if self.metric not in METRICS:
            raise SimileError(f"metric {self.metric!r} does not exist; there are: {', '.join(METRICS)}")
        if isinstance(self.k, bool) or not isinstance(self.k, int | float) or not 1 <= self.k <= MAX_HITS:
            raise SimileError(f"k must be a whole number from 1 to {MAX_HITS}, not {self.k!r}")
        return self

    def arguments(self) -> dict[str, Any]:
        """As `Collection.search` takes them."""
        return {
            "metric": self.metric,
            "k": int(self.k),
            "exact": bool(self.exact),
            "encoder": self.encoder or None,
            "filters": self.filters or None,
        }


def run(found: Collection, query: Query, knobs: Knobs) -> tuple[list[Hit], dict[str, float]]:
    """Hits for a query. A stored picture of another collection is searched by its thumbnail."""
    arguments = knobs.checked().arguments()
    source = query.sources[0]
    if source.point_id is not None and source.collection == found.name:
        return found.search_id(source.point_id, **arguments)
    answer = found.find([Example(picture=read_upload(source.picture))], settings=Settings(**arguments))
    return answer.hits, answer.times


def chosen_filters(found: Collection, chosen: Sequence[Any]) -> dict[str, Any]:
    """{field: values} from the filter boxes, which stand in the order of the collection's fields."""
    return {
        field: list(values)
        for field, values in zip(found.filters[:MAX_FILTERS], chosen, strict=False)
        if values
    }


def filter_choices(
    found: Collection, field: str, filters: dict[str, Any], keep: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Values of a field with how many pictures each would leave, given the other filters."""
    others = {name: values for name, values in filters.items() if name != field}
    counts = found.facets(field, filters=others or None)
    present = {value for value, _ in counts}
    counts = [*counts, *((value, 0) for value in keep if value not in present)]
    return [(f"{value} ({count:,})", value) for value, count in counts]


class Handlers:
    """The page's event handlers: each takes plain values and returns what the components show."""

    def __init__(self, library: Library) -> None:
        self._library = library

    # --- what is searched from

    def take_upload(self, sent: Any) -> tuple[Query | None, str | None, Any]:
        """An upload becomes the query; a file that is no picture becomes one sentence, and leaves the box."""
        if sent is None:
            return None, None, gr.skip()
        try:
            path = uploaded_path(sent)
            decode(read_upload(path))
        except SimileError as error:
            return None, str(error), None
        return Query((Source(path),)), None, gr.skip()

    def take_card(self, shown: Card | None) -> tuple[Query | None, None, Any]:
        """A hit or an example becomes the query, and is shown as such."""
        if shown is None:
            return None, None, gr.skip()
        return Query((Source(shown.picture, shown.id, shown.collection),)), None, shown.picture

    def take_example(self, cards: list[Card], event: gr.SelectData) -> tuple[Query | None, None, Any]:
        """The example that was clicked becomes the query."""
        return self.take_card(_at(cards, event.index))

    def take_request(self, request: Query | None) -> tuple[Query | None, None, Any]:
        """What another tab asks for."""
        return request, None, request.sources[0].picture if request and request.sources else None

    # --- what is found

    def find(
        self,
        query: Query | None,
        problem: str | None,
        name: str,
        encoder: str | None,
        metric: str,
        k: int,
        exact: bool,
        *chosen: list[str],
    ) -> tuple[str, list[tuple[str, str]], list[Card], str, Any]:
        """Status line, gallery, cards behind it, credit; the larger view closes."""
        closed = gr.update(visible=False)
        if problem:
            return note(problem, problem=True), [], [], "", closed
        if query is None:
            return note(HINT), [], [], "", closed
        try:
            found = self._library.open(name)
            knobs = Knobs(metric, k, exact, encoder, chosen_filters(found, chosen))
            hits, times = run(found, query, knobs)
            cards = [card(hit, found.name, metric) for hit in hits]
            line = figures(len(cards), found.count, times, metric, exact)
            if not cards:
                line = note("Nothing here passes these filters; take one away.")
            return line, _pictures(cards), cards, credit(found.credit), closed
        except SimileError as error:
            return note(str(error), problem=True), [], [], "", closed
        except Exception:
            log.exception("search failed")
            return note(FAILED, problem=True), [], [], "", closed

    def enlarge(self, cards: list[Card], event: gr.SelectData) -> tuple[Any, Any, str, Card | None]:
        """The hit that was clicked, large, with everything known about it."""
        shown = _at(cards, event.index)
        if shown is None:
            return gr.update(visible=False), None, "", None
        try:
            credit_text = self._library.open(shown.collection).credit
        except SimileError:
            credit_text = None
        return gr.update(visible=True), shown.picture, details(shown, credit_text), shown

    # --- what can be chosen

    def show_collection(self, name: str) -> tuple[Any, ...]:
        """Encoders, filters and examples of a collection, in the order of `layout._connect_collections`."""
        try:
            found = self._library.open(name)
            boxes = [_filter_box(found, field) for field in found.filters[:MAX_FILTERS]]
            cards = [card(hit, found.name) for hit in found.examples(8)]
            encoder = gr.update(
                choices=found.encoders, value=found.encoders[0], visible=len(found.encoders) > 1
            )
        except Exception as error:
            if not isinstance(error, SimileError):
                log.exception("collection %r cannot be shown", name)
            boxes, cards, encoder = [], [], gr.update(choices=[], value=None, visible=False)
        hidden = [gr.update(visible=False, choices=[], value=[])] * (MAX_FILTERS - len(boxes))
        group = gr.update(visible=bool(boxes))
        gallery = gr.update(value=_pictures(cards), visible=bool(cards), selected_index=None)
        return encoder, *boxes, *hidden, group, gallery, cards

    def recount(self, changed: int) -> Callable[..., list[Any]]:
        """A handler for filter box number `changed`: the counts in the other boxes follow it."""

        def handler(name: str, *chosen: list[str]) -> list[Any]:
            try:
                found = self._library.open(name)
                return [_recounted(found, place, chosen, changed) for place in range(MAX_FILTERS)]
            except Exception as error:  # the counts stay as they were; the search beside this one says why
                if not isinstance(error, SimileError):
                    log.exception("counts failed")
                return [gr.skip()] * MAX_FILTERS

        return handler


def endpoint(library: Library) -> Callable[..., dict[str, Any]]:
    """The function behind `/search`."""

    def search(
        image: FileData,
        collection: str,
        encoder: str | None = None,
        metric: str = "cosine",
        k: int = 10,
        filters: str = "{}",
        exact: bool = False,
    ) -> dict[str, Any]:
        """The pictures of a collection that look like `image` (an upload: `handle_file(path)`).

        `metric` is cosine or hamming, `filters` a JSON object such as {"artist": ["Claude Monet"]}.
        """
        try:
            found = library.open(collection)
            knobs = Knobs(metric, k, exact, encoder, _parsed(filters))
            hits, times = run(found, Query((Source(uploaded_path(image)),)), knobs)
        except SimileError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception:
            log.exception("/search failed")
            raise gr.Error(FAILED, print_exception=False) from None
        return {
            "hits": [_plain(hit) for hit in hits],
            **times,
            "collection": found.name,
            "encoder": encoder or found.encoders[0],
            "metric": metric,
        }

    return search


def _plain(hit: Hit) -> dict[str, Any]:
    """A hit as JSON."""
    return {
        "id": hit.id,
        "score": hit.score,
        "distance": hit.distance,
        "payload": hit.payload,
        "thumbnail": hit.data_url,
    }


def _parsed(filters: str | None) -> dict[str, Any] | None:
    """Filters from their JSON."""
    try:
        parsed = json.loads(filters or "{}")
    except ValueError as error:
        raise SimileError(f'filters are not JSON ({error}); write them as {{"label": ["cat"]}}') from None
    if not isinstance(parsed, dict):
        raise SimileError('filters must be a JSON object of field and values, such as {"label": ["cat"]}')
    return parsed or None


def _filter_box(found: Collection, field: str) -> Any:
    choices = filter_choices(found, field, {})
    return gr.update(label=field_name(field), choices=choices, value=[], visible=bool(choices))


def _recounted(found: Collection, place: int, chosen: Sequence[list[str]], changed: int) -> Any:
    if place == changed or place >= len(found.filters):
        return gr.skip()
    keep = chosen[place] or []
    return gr.update(choices=filter_choices(found, found.filters[place], chosen_filters(found, chosen), keep))


def _pictures(cards: Sequence[Card]) -> list[tuple[str, str]]:
    return [(shown.picture, shown.caption) for shown in cards if Path(shown.picture).exists()]


def _at(cards: Sequence[Card], index: Any) -> Card | None:
    in_range = isinstance(index, int) and 0 <= index < len(cards)
    return cards[index] if in_range else None
