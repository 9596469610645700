"""Parts of the larger view: the hit beside the picture that it is like, its facts, and similar works."""

from collections.abc import Sequence
from html import escape
from typing import Any

from page.components.cards import Card, card, url_of
from page.components.proportions import proportions_of
from page.components.source_words import source_address, source_words
from page.hit_pictures import HitPictures
from page.shared_state import Query, QueryPicture
from page.wording import Verbatim, sentence, unusual_words
from pipeline.points import RESERVED
from pipeline.search import Collection, Hit
from pipeline.sources.extensions import PICTURES, kind_of

__all__ = ["fact_rows", "pictures_html", "similar_cards", "similar_html", "title_of"]

_SIMILAR = 6
_TITLES = ("title", "name", "caption")  # fields, the first of which is the heading
_FIRST = ("artist", "creator", "author", "photographer", "year", "date")  # fields that come before others


def title_of(shown: Card, hit: Hit, found: Collection) -> str:
    """The heading: the work's own title, else its labels, else the name of the collection."""
    return _title(hit) or shown.label or found.title


def _title(hit: Hit) -> str:
    named = (hit.payload.get(field) for field in _TITLES)
    return next((text for text in named if isinstance(text, str) and text.strip()), "")


def fact_rows(shown: Card, hit: Hit, found: Collection) -> list[tuple[str, Any]]:
    """Names and values: who made it and when, the other fields, how near it is, size, file and source."""
    own, title = hit.payload.get(RESERVED) or {}, _title(hit)
    fields = [(name, value) for name, value in hit.payload.items() if name != RESERVED and value != title]
    fields.sort(key=lambda row: _FIRST.index(row[0]) if row[0] in _FIRST else len(_FIRST))
    rows = [*fields]
    if shown.closeness:
        rows.append(("Closeness", shown.closeness))
    if shown.unusual is not None:
        rows.append(("How rare", sentence(unusual_words(shown.unusual))))
    size = proportions_of(hit.payload)
    if size.width > 1:
        rows.append(("Original size" if size.original else "Size", f"{size.width} × {size.height} pixels"))
    if size.squeezed:
        rows.append(("Indexed as", f"{own['width']} × {own['height']} pixels"))
    files = [place.rpartition(":")[0] for place in hit.places]
    rows.append(("File", Verbatim(", ".join(one for one in files if kind_of(one) in PICTURES))))
    rows.append(("Source", Verbatim(source_address(found) or sentence(source_words(found)))))
    if shown.copies:
        rows.append(("Near-duplicates", str(shown.copies)))
    return rows


def pictures_html(shown: Card, hit: Hit, title: str, query: Query | None) -> str:
    """The hit, and beside it the picture of the query that it is most like."""
    size = proportions_of(hit.payload)
    style = f' style="aspect-ratio:{size.shape:.4f}"' if size.width > 1 else ""
    own = (
        f'<figure><img src="{escape(shown.url, quote=True)}" '
        f'alt="{escape(title, quote=True)}" class="{"squeezed" if size.squeezed else ""}"{style} '
        f'data-id="{escape(shown.id, quote=True)}">'
    )
    like = _nearest(shown, query)
    if like is None:
        return f'<div class="seen">{own}</figure></div>'
    label = sentence(like.label or "your picture")
    named = f"Part of {like.label or 'your picture'}" if like.box else label
    return (
        f'<div class="seen two">{own}<figcaption>This hit</figcaption></figure>'
        f'<figure class="asked"><img src="{escape(url_of(like), quote=True)}" alt="">'
        f"<figcaption>Searched from: {escape(named)}</figcaption></figure></div>"
    )


def _nearest(shown: Card, query: Query | None) -> QueryPicture | None:
    """The picture of the query that a hit is most like; None for what was not searched for."""
    likes = query.likes if query else ()
    if not shown.metric or not likes:
        return None
    return likes[min(shown.nearest, len(likes) - 1)]


def similar_cards(shown: Card, found: Collection, pictures: HitPictures) -> list[Card]:
    """The nearest works of a hit itself."""
    hits, _ = found.search_id(shown.id, k=_SIMILAR, encoder=shown.encoder)
    return [card(hit, found.name, "cosine", encoder=shown.encoder, pictures=pictures) for hit in hits]


def similar_html(cards: Sequence[Card]) -> str:
    """Similar works as a row of pictures that open in the larger view."""
    items = "".join(
        f'<li><button type="button" data-action="similar" data-point="{escape(one.id, quote=True)}" '
        f'aria-label="Look at {escape(one.label or "this picture", quote=True)}" '
        f'title="{escape(one.label, quote=True)}">'
        f'<img src="{escape(one.url, quote=True)}" alt="" loading="lazy"></button></li>'
        for one in cards
    )
    return f'<section class="similar"><h3>Similar works</h3><ul>{items}</ul></section>' if items else ""
