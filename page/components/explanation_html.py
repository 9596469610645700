"""The comparison of two pictures in the Why tab as HTML: heat maps, figures and bits. Pure functions."""

import base64
import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from page.components.cards import url_of
from page.shared_state import Pair
from page.wording import numbered_names, rarity
from pipeline.images import data_url, thumbnail
from pipeline.search import Collection
from pipeline.vectors import agreeing_bits
from pipeline.why.heat_map import Explanation
from pipeline.why.reasons import Reasons, Standing
from pipeline.why.seen_part import Part

__all__ = ["choice", "explanation_html", "figure", "seen_by"]

_MOST_PAIRS = 400 * 400  # pairs of places that are sent to the browser; finer grids are sent without them
_COLUMNS = 64  # bits a row
_HEIGHT = 46  # of a picture in % of the window's height; both pictures shrink alike where that is too wide


def choice(pair: Pair) -> str:
    """Buttons to choose one of the pictures of a query; empty if it has only one."""
    if len(pair.among) < 2:
        return ""
    labels = numbered_names([one.label or "picture" for one in pair.among])
    chips = "".join(
        f'<button type="button" data-index="{i}" aria-pressed="{str(one == pair.query).lower()}" '
        f'aria-label="Compare with {escape(label, quote=True)}">'
        f'<img src="{escape(url_of(one), quote=True)}" alt=""></button>'
        for i, (one, label) in enumerate(zip(pair.among, labels, strict=True))
    )
    return f'<div class="among" role="group" aria-label="Picture of the query">{chips}</div>'


def seen_by(encoder: str) -> str:
    """The line that names the encoder."""
    return f'<p class="encoder">Seen by {escape(encoder)}</p>'


def explanation_html(reasons: Reasons, figures: str, found: Collection, above: str = "") -> str:
    """The whole comparison; `figures` are the two pictures, `above` is the HTML above them."""
    told = reasons.explanation
    slider = (
        '<label class="slider">Heat map <input type="range" min="0" max="100" value="70" '
        'aria-label="Opacity of the heat maps"></label>'
    )
    rows = "".join(_row(standing, found.count) for standing in reasons.standings)
    return (
        f'<div class="why" data-heat="{escape(_heat(told))}"><div class="sight">{above}<div class="pair">'
        f"{figures}</div></div><div>{slider}"
        f'<p class="told">{escape(_summary(told))}</p>'
        '<table><thead><tr><th scope="col">Metric<th scope="col">Score<th scope="col">Distance'
        '<th scope="col">Rank<th scope="col">Nearer than</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_strip(reasons.query_code, reasons.hit_code)}</div>"
    )


def figure(side: str, title: str, picture: Image.Image, part: Part) -> str:
    """A picture with a canvas for its heat map, which covers the part that the network saw."""
    left, top = (f"{100 * share:.2f}%" for share in part[:2])
    width, height = (f"{100 * (part[i + 2] - part[i]):.2f}%" for i in (0, 1))
    shape = picture.width / picture.height
    return (
        f'<figure style="flex:0 1 {_HEIGHT * shape:.1f}vh">'
        f'<div class="frame" style="aspect-ratio:{shape:.4f}">'
        f'<img src="{data_url(*thumbnail(picture))}" alt="{escape(title)}">'
        f'<canvas class="heat {side}" style="left:{left};top:{top};width:{width};height:{height}" role="img" '
        f'aria-label="Heat map over {escape(title)}"></canvas></div>'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def _heat(told: Explanation) -> str:
    """JSON for the browser: both maps from 0 to 1, and how well each of their places match."""
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
    if pairs.size <= _MOST_PAIRS:
        facts["pairs"] = base64.b64encode((pairs * 255).astype(np.uint8).tobytes()).decode()
    return json.dumps(facts)


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return (values - low) / max(high - low, 1e-9)


def _summary(told: Explanation) -> str:
    """What the colours mean, in a few sentences."""
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


def _row(standing: Standing, count: int) -> str:
    """The table row of one metric."""
    hamming = standing.metric == "hamming"
    distance = f"{standing.distance} bits" if hamming else f"{standing.distance:.3f}"
    rank = "beyond 1,000" if standing.rank is None else f"{standing.rank:,} of {count:,}"
    unusual = "not calibrated" if standing.unusual is None else f"{rarity(standing.unusual)} of random pairs"
    cells = "".join(f"<td>{text}</td>" for text in (f"{standing.score:.3f}", distance, rank, unusual))
    return f'<tr><th scope="row">{"Hamming" if hamming else "Cosine"}</th>{cells}</tr>'


def _strip(first: np.ndarray, second: np.ndarray) -> str:
    """Every bit as a cell: filled where both are the same, dark for +1 and light for −1; empty where not."""
    same = agreeing_bits(first, second)
    positive = np.asarray(first) > 0
    rows = -(-len(same) // _COLUMNS)
    groups = {"plus": same & positive, "minus": same & ~positive, "differ": ~same}
    paths = "".join(
        f'<path class="{name}" d="{_cells(np.flatnonzero(chosen))}"/>' for name, chosen in groups.items()
    )
    agree, bits = int(same.sum()), len(same)
    said = f"{agree} of {bits} bits agree; {bits - agree} differ, which is the Hamming distance."
    return (
        f'<figure class="bits"><svg viewBox="0 0 {_COLUMNS * 10} {rows * 10}" role="img" aria-label="{said}">'
        f'{paths}</svg><figcaption>{said} <span class="key plus"></span>both +1 '
        '<span class="key minus"></span>both −1 <span class="key differ"></span>different'
        "</figcaption></figure>"
    )


def _cells(places: Sequence[int] | np.ndarray) -> str:
    return "".join(f"M{at % _COLUMNS * 10 + 1} {at // _COLUMNS * 10 + 1}h8v8h-8z" for at in places)
