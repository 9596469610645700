"""A collection for visitors: what is in it, how many, whose it is, examples, and how good a search is."""

import uuid
from html import escape
from typing import Any

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import Card, card, query_picture
from page.components.source_words import source_words
from page.components.start import chosen_start
from page.hit_pictures import HitPictures
from page.shared_state import SEARCH, Query
from page.wording import field_name, readable
from pipeline.errors import SimileError
from pipeline.search import Collection

__all__ = ["about_html", "how_good", "taken_from"]

_EXAMPLES = 8
_VALUES = 4  # of a label that are named


def about_html(found: Collection, pictures: HitPictures) -> str:
    """Sentences, examples that can be searched from, and a button that opens the collection."""
    lines = [_whose(found), *_contents(found), how_good(found)]
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    shown = [card(hit, found.name, pictures=pictures) for hit in found.examples(_EXAMPLES)]
    examples = "".join(_example(one, found.name) for one in shown)
    return (
        f'<div class="about-it">{said}</div><div class="some" role="group" '
        f'aria-label="Examples: search from one">{examples}</div>'
        f'<button type="button" class="go" data-chosen="collection:{escape(found.name, quote=True)}">'
        f"Search in {escape(found.title)}</button>"
    )


def _example(shown: Card, name: str) -> str:
    chosen = escape(f"picture:{name}:{shown.id}", quote=True)
    label = escape(f"Search from {shown.label or 'this picture'}", quote=True)
    return (
        f'<button type="button" data-chosen="{chosen}" aria-label="{label}" title="{label}">'
        f'<img src="{escape(shown.url, quote=True)}" alt="" loading="lazy"></button>'
    )


def _whose(found: Collection) -> str:
    licence = found.manifest.licence
    credit = f" {found.credit.rstrip('.')}." if found.credit else ""
    terms = f" Licence: {licence}." if licence else ""
    return f"{found.counted} pictures from {source_words(found)}.{credit}{terms}"


def _contents(found: Collection) -> list[str]:
    """`By style: Impressionism (130), Realism (101) and 21 more.` for each label."""
    lines = []
    for name in found.manifest.labels:
        values = [(value, count) for value, count in found.facets(name) if value not in (None, "")]
        if not values:
            continue
        some = ", ".join(f"{readable(value)} ({count:,})" for value, count in values[:_VALUES])
        rest = len(values) - _VALUES
        lines.append(f"By {field_name(name).lower()}: {some}{f' and {rest} more' if rest > 0 else ''}.")
    return lines


def how_good(found: Collection) -> str:
    """What the job measured of the index, in one sentence."""
    measured = found.encoder_entry().measured
    if measured is None or measured.cosine is None:
        return "The quality of its searches was not measured."
    share = int(measured.cosine.recall * 100 + 1e-9)
    nearest = "all" if share == 100 else f"{share} of 100"
    return f"A search finds {nearest} of the pictures that a comparison with every picture would find."


def taken_from(library: CollectionLibrary, event: gr.EventData) -> tuple[Any, Any, Any]:
    """(collection, request, tabs) after a button of `about_html` was pressed."""
    kind, _, rest = (chosen_start(event) or "").partition(":")
    name, _, point = rest.partition(":")
    nothing = gr.skip(), gr.skip(), gr.skip()
    if kind not in ("collection", "picture") or name not in library.names():
        return nothing
    if kind == "collection":
        return name, gr.skip(), gr.Tabs(selected=SEARCH)
    try:
        found = library.open(name)
        picture = query_picture(card(found.get(str(uuid.UUID(point))), name, pictures=library.pictures))
    except (ValueError, SimileError):
        return nothing
    return name, Query((picture,)), gr.Tabs(selected=SEARCH)
