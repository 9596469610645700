"""How hits and collections look in a notebook: HTML of their own, without a script or an address."""

from collections.abc import Sequence
from html import escape
from typing import Protocol

from pipeline.store.manifest import Manifest

__all__ = ["collection_html", "hit_html", "hits_html"]

_SIDE = 128  # pixels of a thumbnail
_FIGURE = f"display:inline-block;width:{_SIDE}px;margin:4px 8px 4px 0;vertical-align:top;font-size:12px"
_PICTURE = f"width:{_SIDE}px;height:{_SIDE}px;object-fit:contain"


class Shown(Protocol):
    """What is shown of a hit."""

    @property
    def id(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def label(self) -> str: ...
    @property
    def place(self) -> str: ...
    @property
    def data_url(self) -> str: ...


def hit_html(hit: Shown) -> str:
    """The thumbnail above its score and caption."""
    caption = escape(hit.label or hit.place)
    return (
        f'<figure style="{_FIGURE}"><img src="{escape(hit.data_url)}" alt="{caption}" style="{_PICTURE}">'
        f'<figcaption title="{escape(hit.id)}">{hit.score:.3f} {caption}</figcaption></figure>'
    )


def hits_html(hits: Sequence[Shown]) -> str:
    """A grid of hits, in their order."""
    return "<div>" + "".join(map(hit_html, hits)) + "</div>"


def collection_html(name: str, manifest: Manifest, counted: str, examples: Sequence[Shown]) -> str:
    """Title, facts and some pictures of a collection.

    Args:
        name: the alias; `counted`: how many pictures it holds, for people.
    """
    facts = {
        "pictures": counted,
        "encoders": ", ".join(entry.name for entry in manifest.encoders),
        "filters": ", ".join(manifest.filters),
        "credit": manifest.credit or "",
    }
    rows = "".join(
        f"<tr><th>{key}</th><td>{escape(value)}</td></tr>" for key, value in facts.items() if value
    )
    return f"<h4>{escape(manifest.title or name)}</h4><table>{rows}</table>{hits_html(examples)}"
