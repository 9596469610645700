"""Why: a query and one of its hits side by side, with the places and bits that made them similar."""

import base64
import json
import logging
from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from page.assets import script
from page.library import Library
from page.searching import examples_of
from page.shared import Pair, Query, Shared, Source
from page.text import note, rarity, sentence, spoken
from page.uploads import read_upload
from page.visitors import is_search
from pipeline.encoders.seen import Part
from pipeline.errors import SimileError
from pipeline.explain import Explanation, agreeing_bits
from pipeline.images import data_url, decode, thumbnail
from pipeline.search import Collection, Settings
from pipeline.search.example import cropped
from pipeline.search.reasons import Reasons, Standing

__all__ = ["build"]

HINT = "Search first, open one of the hits, and choose Why: it is then compared here with your picture."
WORDS = "Words have no places in a picture; search with a picture to see why a hit was found."
FAILED = "The pictures could not be compared; whoever runs this page finds the reason in its log."
MOST_PAIRS = 400 * 400  # pairs of places that are sent to the browser; finer grids come without them
COLUMNS = 64  # bits a row
HEIGHT = 46  # of a picture, in hundredths of the window's; both shrink alike where that is too wide
_QUIET: dict[str, Any] = {"api_visibility": "private"}
log = logging.getLogger("simile")


def build(shared: Shared, tab: gr.Tab) -> None:
    """One HTML component: it follows the pair that another tab sets, or takes the first hit of the query."""
    do = Handlers(shared.library)
    shown = gr.HTML(
        note(HINT),
        js_on_load=script("why.js"),
        apply_default_css=False,
        elem_id="why",
    )
    explained = gr.State()
    state = [shared.pair, explained, shared.query, shared.collection]
    show: dict[str, Any] = {"fn": do.show, "inputs": state, "outputs": [shown, explained], **_QUIET}
    gr.on([tab.select, shared.pair.change], trigger_mode="once", show_progress="minimal", **show)


class Handlers:
    """Finds out which two pictures are meant, compares them, and says so in HTML."""

    def __init__(self, library: Library) -> None:
        self._library = library

    @is_search
    def show(self, pair: Pair | None, before: Any, query: Query | None, name: str | None) -> tuple[Any, Any]:
        """HTML, and what it explains; a pair that is older than the query gives way to the first hit."""
        wanted = (pair, query, name)
        if wanted == before:
            return gr.skip(), gr.skip()
        try:
            if pair is None or (before and pair == before[0] and query != before[1]):
                pair = self._first_hit(query, name)
            if pair is None:
                return note(HINT), wanted
            return self._explained(pair), wanted
        except SimileError as error:
            return note(str(error), problem=True), wanted
        except Exception:
            log.exception("the pair cannot be explained")
            return note(FAILED, problem=True), wanted

    def _first_hit(self, query: Query | None, name: str | None) -> Pair | None:
        if query is None or not (query.sources or query.text):
            return None
        if not query.sources:
            raise SimileError(WORDS)
        found, source = self._library.open(name), query.sources[0]
        hits = found.find(examples_of([source], found), settings=Settings(k=1)).hits
        return Pair(source, Source("", hits[0].id, found.name)) if hits else None

    def _explained(self, pair: Pair) -> str:
        found = self._library.open(pair.hit.collection)
        if pair.hit.point_id is None:
            raise SimileError(
                "Only a picture of the collection can be explained as a hit; choose one of them."
            )
        source = pair.query
        own = source.point_id if source.collection == found.name and source.box is None else None
        data = read_upload(source.picture)
        reasons = found.why(data, pair.hit.point_id, pair.encoder, own, source.box)
        hit = found.get(pair.hit.point_id)
        part = "Part of " if source.box else ""
        named = part + source.label if part else sentence(source.label or "your picture")
        figures = figure("query", named, cropped(decode(data), source.box), reasons.query_part)
        title = " · ".join(spoken(part) for part in hit.label.split(" · ")) if hit.label else "Hit"
        figures += figure("hit", title, decode(hit.thumbnail), reasons.hit_part)
        return page(reasons, figures, found)


def page(reasons: Reasons, figures: str, found: Collection) -> str:
    """All of it."""
    told = reasons.explanation
    slider = (
        '<label class="slider">Heat map <input type="range" min="0" max="100" value="70" '
        'aria-label="Opacity of the heat maps"></label>'
    )
    rows = "".join(row(standing, found.count) for standing in reasons.standings)
    return (
        f'<div class="why" data-heat="{escape(heat(told))}"><div class="pair">{figures}</div><div>{slider}'
        f'<p class="told">{escape(summary(told))}</p>'
        '<table><thead><tr><th scope="col">Metric<th scope="col">Score<th scope="col">Distance'
        '<th scope="col">Rank<th scope="col">Nearer than</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{strip(reasons.query_code, reasons.hit_code)}</div>"
    )


def figure(side: str, title: str, picture: Image.Image, part: Part) -> str:
    """A picture, and over the part that the network saw a canvas for its heat map."""
    left, top = (f"{100 * share:.2f}%" for share in part[:2])
    width, height = (f"{100 * (part[i + 2] - part[i]):.2f}%" for i in (0, 1))
    shape = picture.width / picture.height
    return (
        f'<figure style="flex:0 1 {HEIGHT * shape:.1f}vh">'
        f'<div class="frame" style="aspect-ratio:{shape:.4f}">'
        f'<img src="{data_url(*thumbnail(picture))}" alt="{escape(title)}">'
        f'<canvas class="heat {side}" style="left:{left};top:{top};width:{width};height:{height}" role="img" '
        f'aria-label="Heat map over {escape(title)}"></canvas></div>'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def heat(told: Explanation) -> str:
    """JSON for the browser: both maps from 0 to 1, and for each place of one what it matched in the other."""
    if told.exact:
        top = max(float(told.query.max()), float(told.hit.max()), 1e-9)
        maps = [np.clip(each / top, 0, 1) for each in (told.query, told.hit)]
        pairs = np.clip(told.pairs / max(float(told.pairs.max()), 1e-9), 0, 1)
    else:
        maps = [_stretched(each) for each in (told.query, told.hit)]
        pairs = _stretched(told.pairs)
    facts: dict[str, Any] = {
        side: {"rows": len(each), "columns": len(each[0]), "values": np.round(each, 3).ravel().tolist()}
        for side, each in zip(("query", "hit"), maps, strict=True)
    }
    if pairs.size <= MOST_PAIRS:
        facts["pairs"] = base64.b64encode((pairs * 255).astype(np.uint8).tobytes()).decode()
    return json.dumps(facts)


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return (values - low) / max(high - low, 1e-9)


def summary(told: Explanation) -> str:
    """What the colours mean, in two sentences."""
    if told.exact:
        shares = [f"{100 * _top_share(each):.0f}\u00a0%" for each in (told.query, told.hit)]
        return (
            f"The heat of all places of a picture adds up to its similarity, {told.similarity:.3f}: this "
            f"network averages them, so nothing is left out. The warmest quarter of yours carries "
            f"{shares[0]} of what speaks for the match, that of the hit {shares[1]}. Point at a place to see "
            "what it matched."
        )
    return (
        f"Warm places look like the other picture as a whole; both together score {told.similarity:.3f}. "
        "This network answers with a class token, so its places are compared one by one and do not add up to "
        "the score. Point at a place to see what it matched."
    )


def _top_share(values: np.ndarray) -> float:
    speaking = np.sort(np.clip(values, 0, None).ravel())[::-1]
    return float(speaking[: max(1, len(speaking) // 4)].sum() / max(float(speaking.sum()), 1e-9))


def row(standing: Standing, count: int) -> str:
    """One metric."""
    hamming = standing.metric == "hamming"
    distance = f"{standing.distance} bits" if hamming else f"{standing.distance:.3f}"
    rank = "beyond 1,000" if standing.rank is None else f"{standing.rank:,} of {count:,}"
    unusual = "not calibrated" if standing.unusual is None else f"{rarity(standing.unusual)} of random pairs"
    cells = "".join(f"<td>{text}</td>" for text in (f"{standing.score:.3f}", distance, rank, unusual))
    return f'<tr><th scope="row">{"Hamming" if hamming else "Cosine"}</th>{cells}</tr>'


def strip(first: np.ndarray, second: np.ndarray) -> str:
    """Every bit as a cell: filled where both are the same, dark for +1 and light for −1; empty where not."""
    same = agreeing_bits(first, second)
    positive = np.asarray(first) > 0
    rows = -(-len(same) // COLUMNS)
    groups = {"plus": same & positive, "minus": same & ~positive, "differ": ~same}
    paths = "".join(
        f'<path class="{name}" d="{_cells(np.flatnonzero(chosen))}"/>' for name, chosen in groups.items()
    )
    agree, bits = int(same.sum()), len(same)
    said = f"{agree} of {bits} bits agree; {bits - agree} differ, which is the Hamming distance."
    return (
        f'<figure class="bits"><svg viewBox="0 0 {COLUMNS * 10} {rows * 10}" role="img" aria-label="{said}">'
        f'{paths}</svg><figcaption>{said} <span class="key plus"></span>both +1 '
        '<span class="key minus"></span>both −1 <span class="key differ"></span>different'
        "</figcaption></figure>"
    )


def _cells(places: Sequence[int] | np.ndarray) -> str:
    return "".join(f"M{at % COLUMNS * 10 + 1} {at // COLUMNS * 10 + 1}h8v8h-8z" for at in places)
