"""What all tabs share: the collection that is open, what is searched from, and where one tab calls another.

A tab is a module with `build(shared, tab)`, called inside its `gr.Tab`, and listed in layout.TABS.
"""

from dataclasses import dataclass, replace

import gradio as gr

from page.library import Library
from pipeline.search import Box, Settings

__all__ = ["MAP", "MAX_SOURCES", "SEARCH", "WHY", "Pair", "Query", "Searched", "Shared", "Source"]

SEARCH, MAP, WHY = "search", "map", "why"  # ids of the tabs that others switch to: gr.Tabs(selected=WHY)
MAX_SOURCES = 32  # pictures, likes and dislikes that one visitor may gather


@dataclass(frozen=True)
class Source:
    """One picture that is searched from: an uploaded file, or a stored picture of a collection."""

    picture: str  # path of a file in Gradio's upload folder
    point_id: str | None = None
    collection: str | None = None
    box: Box | None = None  # only this part of it
    label: str = ""
    preview: str | None = None  # data URL that stands in for a file that browsers cannot show

    def same_as(self, other: "Source") -> bool:
        """Whether both are one picture, whatever part of it counts."""
        return (self.picture, self.point_id) == (other.picture, other.point_id)


@dataclass(frozen=True)
class Query:
    """What a visitor searches from; several pictures count together."""

    sources: tuple[Source, ...] = ()
    text: str = ""
    dislikes: tuple[Source, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sources or self.text or self.dislikes)

    def without(self, source: Source) -> "Query":
        """The same without a picture, liked or not."""
        return replace(
            self,
            sources=tuple(s for s in self.sources if not s.same_as(source)),
            dislikes=tuple(s for s in self.dislikes if not s.same_as(source)),
        )

    def liking(self, source: Source) -> "Query":
        """With one more picture to be like; the oldest goes when there are too many."""
        rest = self.without(source)
        return replace(rest, sources=(*rest.sources, source)[-MAX_SOURCES:])

    def disliking(self, source: Source) -> "Query":
        """With one more picture to be unlike."""
        rest = self.without(source)
        return replace(rest, dislikes=(*rest.dislikes, source)[-MAX_SOURCES:])


@dataclass(frozen=True)
class Pair:
    """A query picture and a hit, to be explained.

    Attributes:
        among: all pictures of the query, where one of them may be taken instead.
        encoder: that found the hit; None: the collection's default.
    """

    query: Source
    hit: Source
    encoder: str | None = None
    among: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Searched:
    """What the Search tab answered last, and how."""

    collection: str
    settings: Settings
    query: Query = Query()
    beside: bool = False  # in three columns

    @staticmethod
    def within(searched: "Searched | None", name: str | None) -> Settings:
        """Its settings if that was in the collection `name`, else plain ones."""
        return searched.settings if searched and searched.collection == name else Settings()


@dataclass(frozen=True)
class Shared:
    """Passed to the `build` of every tab."""

    library: Library
    page: gr.Blocks  # .load
    tabs: gr.Tabs  # output of a handler that returns gr.Tabs(selected=SEARCH)
    collection: gr.Dropdown  # name of the open collection; every tab follows its .change
    query: gr.State  # Query | None: what the Search tab searches from now
    searched: gr.State  # Searched | None: what it answered last, and how
    request: gr.State  # Query | None: set it, and the Search tab searches from it
    pair: gr.State  # Pair | None: set by the "Why?" of a hit; the tab Why follows its .change
