"""A visitor's query and settings -> hits, cards and the line above them."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from page.components.cards import Card, card
from page.library import Library
from page.state import Query, Source
from page.text import milliseconds, told_apart
from page.uploads import read_upload
from pipeline.errors import SimileError
from pipeline.index_quality.calibration import MATCH_TAIL
from pipeline.points import RESERVED
from pipeline.search import MAX_K, METRICS, Collection, Example, Found, Hit, Settings

__all__ = [
    "FAILED",
    "MAX_HITS",
    "as_csv",
    "as_json",
    "check",
    "contact_sheet",
    "examples_of",
    "figures",
    "find",
    "nearest_of",
    "reason",
    "shared_share",
]

MAX_HITS = 100
FAILED = "The search failed; whoever runs this page finds the reason in its log."


def check(metric: object, k: object, offset: object = 0) -> None:
    """Refuses what a program may send and a visitor cannot."""
    if metric not in METRICS:
        raise SimileError(f"metric {metric!r} does not exist; there are: {', '.join(METRICS)}")
    if isinstance(k, bool) or not isinstance(k, int | float) or not 1 <= k <= MAX_HITS:
        raise SimileError(f"k must be a whole number from 1 to {MAX_HITS}, not {k!r}")
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not 0 <= offset <= MAX_K:
        raise SimileError(f"offset must be a whole number from 0 to {MAX_K:,}, not {offset!r}")


def examples_of(sources: Sequence[Source], found: Collection) -> list[Example]:
    """A stored picture of this collection by its id; of another one, and a part of one, by its pixels."""
    return [_example(source, found) for source in sources]


def _example(source: Source, found: Collection) -> Example:
    own = source.point_id if source.collection == found.name else None
    if own and source.box is None:
        return Example(id=own)
    return Example(picture=read_upload(source.picture), box=source.box, part_of=own)


def find(
    library: Library, name: str, query: Query, settings: Settings, *, explained: bool = False
) -> tuple[Collection, Found, list[Card]]:
    """Hits as cards; `explained`: each says what it is like, also where there is only one picture."""
    found = library.open(name)
    likes = examples_of(query.sources, found)
    if query.text.strip():
        likes.append(Example(text=query.text))
    answer = found.find(likes, examples_of(query.dislikes, found), settings)
    cards = [
        card(
            hit,
            found.name,
            settings.metric,
            reason(hit, query, settings, explained=explained),
            settings.encoder,
            nearest_of(hit.like_scores[: len(query.sources)]),
        )
        for hit in answer.hits
    ]
    return found, answer, cards


def nearest_of(scores: Sequence[float]) -> int:
    """Number of the best score; 0 of none."""
    return max(range(len(scores)), key=scores.__getitem__, default=0)


def reason(hit: Hit, query: Query, settings: Settings, *, explained: bool) -> str:
    """`like Claude Monet (0.83), not like Edgar Degas (0.12)`."""
    several = len(hit.like_scores) > 1 or hit.dislike_scores
    if not several and not explained:
        return ""
    names = [*_names(query.sources), *([f"“{query.text}”"] if query.text else [])]
    scores = hit.like_scores or (hit.score,)
    if settings.combine == "average" and len(scores) > 1:
        text = f"like all {len(scores)} ({sum(scores) / len(scores):.2f})"
    else:
        best = nearest_of(scores)
        text = f"like {names[best]} ({scores[best]:.2f})"
    if hit.dislike_scores:
        worst = nearest_of(hit.dislike_scores)
        text += f", not like {_names(query.dislikes)[worst]} ({hit.dislike_scores[worst]:.2f})"
    return text


def _names(sources: Sequence[Source]) -> list[str]:
    names = told_apart([source.label.split(" · ")[0] or "a picture" for source in sources])
    return [("part of " if source.box else "") + name for source, name in zip(sources, names, strict=True)]


def figures(shown: Sequence[Card], found: Collection, answer: Found, settings: Settings) -> str:
    """`24 of 50,000 · embed 12 ms · search 3 ms · cosine · approximate`."""
    how_many = f"{len(shown):,} of {found.count:,}"
    if settings.matches_only:
        first = "the first " if answer.more else ""
        how_many = f"{first}{len(shown):,} match{'' if len(shown) == 1 else 'es'} in {found.count:,}"
        how_many += _how_rare(found, settings)
    weak = sum(one.weak for one in shown)
    parts = [how_many, *([f"{weak:,} weak"] if weak else []), *milliseconds(answer.times)]
    metric = "Hamming" if settings.metric == "hamming" else "cosine"
    return " · ".join([*parts, metric, "exact" if settings.exact else "approximate"])


def _how_rare(found: Collection, settings: Settings) -> str:
    """What to say where even the score of a match is common: codes of few classes are often the same."""
    calibration = found.encoder_entry(settings.encoder).calibration
    tail = calibration.of(settings.metric).threshold_tail if calibration else 0.0
    return f" (as near as {tail:.1%} of random pairs)" if tail > 1.5 * MATCH_TAIL else ""


def shared_share(first: Sequence[Card], second: Sequence[Card]) -> str:
    """How many pictures two lists share: `21 of 24`."""
    both = {one.id for one in first} & {one.id for one in second}
    return f"{len(both)} of {max(len(first), len(second))}"


_CELL, _GAP, _TEXT = 200, 12, 34  # pixels
_COLUMNS = 6


def as_csv(hits: Sequence[Hit], ranks: Sequence[dict[str, Any]]) -> str:
    """One row a hit: what `ranks` says of it (rank, score, …), its id, its payload and its places."""
    rows = [_row(hit, rank) for hit, rank in zip(hits, ranks, strict=True)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return file.getvalue()


def as_json(hits: Sequence[Hit], ranks: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """`about` and the hits, without their pictures."""
    rows = [_row(hit, rank) for hit, rank in zip(hits, ranks, strict=True)]
    return json.dumps({**about, "hits": rows}, indent=1, ensure_ascii=False, default=str)


def contact_sheet(hits: Sequence[Hit], captions: Sequence[str]) -> bytes:
    """A JPEG of all pictures in rows of six, each over its caption."""
    columns = max(1, min(_COLUMNS, len(hits)))
    rows = max(1, -(-len(hits) // columns))
    size = (columns * (_CELL + _GAP) + _GAP, rows * (_CELL + _TEXT + _GAP) + _GAP)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, (hit, caption) in enumerate(zip(hits, captions, strict=True)):
        left = _GAP + place % columns * (_CELL + _GAP)
        top = _GAP + place // columns * (_CELL + _TEXT + _GAP)
        with Image.open(io.BytesIO(hit.thumbnail)) as picture:
            small = picture.convert("RGB")
        scale = _CELL / max(small.size)
        small = small.resize((max(1, round(small.width * scale)), max(1, round(small.height * scale))))
        sheet.paste(small, (left + (_CELL - small.width) // 2, top + (_CELL - small.height) // 2))
        pen.text((left, top + _CELL + 3), _fitted(caption, font), fill="black", font=font)
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=88)
    return file.getvalue()


def _row(hit: Hit, rank: dict[str, Any]) -> dict[str, Any]:
    payload = {name: value for name, value in hit.payload.items() if name != RESERVED}
    about = hit.payload.get(RESERVED) or {}
    return {**rank, "id": hit.id, **payload, "places": " ".join(about.get("places") or [])}


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is quoted."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def _fitted(text: str, font: Any) -> str:
    while text and font.getlength(text) > _CELL:
        text = text[:-2].rstrip("… ") + "…" if len(text) > 2 else ""
    return text
