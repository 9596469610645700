"""What all tabs share: the collection that is open, what is searched from, and where one tab calls another.

A tab is a module with `build(shared, tab)`, called inside its `gr.Tab`, and listed in layout.TABS.
"""

from dataclasses import dataclass

import gradio as gr

from page.library import Library

__all__ = ["SEARCH", "WHY", "Pair", "Query", "Shared", "Source"]

SEARCH, WHY = "search", "why"  # ids of the tabs that others switch to: gr.Tabs(selected=WHY)


@dataclass(frozen=True)
class Source:
    """One picture that is searched from: an uploaded file, or a stored picture of a collection."""

    picture: str  # path of a file in Gradio's upload folder
    point_id: str | None = None
    collection: str | None = None
    box: tuple[float, float, float, float] | None = None  # left, top, right, bottom as shares of the sides


@dataclass(frozen=True)
class Query:
    """What a visitor searches from; several pictures count together."""

    sources: tuple[Source, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Pair:
    """A query and one of its hits, to be explained."""

    query: Source
    hit: Source
    encoder: str | None = None


@dataclass(frozen=True)
class Shared:
    """Passed to the `build` of every tab."""

    library: Library
    page: gr.Blocks  # .load
    tabs: gr.Tabs  # output of a handler that returns gr.Tabs(selected=SEARCH)
    collection: gr.Dropdown  # name of the open collection; every tab follows its .change
    query: gr.State  # Query | None: what the Search tab searches from now
    request: gr.State  # Query | None: set it, and the Search tab searches from it
    pair: gr.State  # Pair | None: set by the "Why?" of a hit; the tab Why follows its .change
