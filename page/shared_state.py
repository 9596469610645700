"""What all tabs share: the collection that is open, what is searched from, and where one tab calls another.

A tab is a module with `build(shared, tab)`, called inside its `gr.Tab`, and listed in app.TABS.
"""

from dataclasses import dataclass, replace

import gradio as gr

from page.collection_library import CollectionLibrary
from page.own_uploads import OwnUploads
from pipeline.search import Box, Settings

__all__ = ["MAP", "MAX_PICTURES", "SEARCH", "WHY", "Pair", "Query", "QueryPicture", "Searched", "Shared"]

SEARCH, MAP, WHY = "search", "map", "why"  # ids of the tabs that others switch to: gr.Tabs(selected=WHY)
MAX_PICTURES = 32  # pictures, likes and dislikes that one visitor may gather


@dataclass(frozen=True)
class QueryPicture:
    """One picture that is searched from: an uploaded file, or a stored picture of a collection.

    Attributes:
        file: of an upload, its path in Gradio's upload folder.
        point_id, collection: of a stored picture; None for an uploaded one.
        box: only this part of the picture.
        preview: path of a copy to show instead of a file that browsers cannot show, such as a TIFF.
    """

    file: str = ""
    point_id: str | None = None
    collection: str | None = None
    box: Box | None = None
    label: str = ""
    preview: str | None = None

    def same_as(self, other: "QueryPicture") -> bool:
        """Whether both are the same picture; their boxes may differ."""
        return (self.file, self.point_id) == (other.file, other.point_id)


@dataclass(frozen=True)
class Query:
    """What a visitor searches from: pictures to be like, words, and pictures to be unlike."""

    likes: tuple[QueryPicture, ...] = ()
    text: str = ""
    dislikes: tuple[QueryPicture, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.likes or self.text or self.dislikes)

    @property
    def own_pictures(self) -> int:
        """How many of its pictures have to be decoded: uploads, and parts of stored pictures."""
        return sum(1 for one in (*self.likes, *self.dislikes) if one.point_id is None or one.box)

    def without(self, picture: QueryPicture) -> "Query":
        """The same query without a picture."""
        return replace(
            self,
            likes=tuple(one for one in self.likes if not one.same_as(picture)),
            dislikes=tuple(one for one in self.dislikes if not one.same_as(picture)),
        )

    def liking(self, picture: QueryPicture) -> "Query":
        """With one more picture to be like; the oldest one is dropped when there are too many."""
        rest = self.without(picture)
        return replace(rest, likes=(*rest.likes, picture)[-MAX_PICTURES:])

    def disliking(self, picture: QueryPicture) -> "Query":
        """With one more picture to be unlike."""
        rest = self.without(picture)
        return replace(rest, dislikes=(*rest.dislikes, picture)[-MAX_PICTURES:])


@dataclass(frozen=True)
class Pair:
    """A query picture and a hit that the Why tab compares.

    Attributes:
        encoder: the one that found the hit; None for the collection's default.
        among: all pictures of the query, from which the visitor may choose another one.
    """

    query: QueryPicture
    hit: QueryPicture
    encoder: str | None = None
    among: tuple[QueryPicture, ...] = ()


@dataclass(frozen=True)
class Searched:
    """What the Search tab answered last, and how."""

    collection: str
    settings: Settings
    query: Query = Query()
    side_by_side: bool = False  # in three columns
    closeness: float = 0  # of `closeness.STEPS`
    everywhere: str = ""  # in all collections: `beside` one another or `merged`; else in the open one

    @property
    def browses(self) -> bool:
        """Whether there is nothing to be near to: whatever passes the filters is shown."""
        return not self.query and not self.settings.colours

    @staticmethod
    def within(searched: "Searched | None", name: str | None) -> Settings:
        """The settings of the last search if it was in the collection `name`, else the default ones."""
        return searched.settings if searched and searched.collection == name else Settings()


@dataclass(frozen=True)
class Shared:
    """Passed to the `build` of every tab."""

    library: CollectionLibrary
    uploads: OwnUploads
    page: gr.Blocks  # for its `load` event
    tabs: gr.Tabs  # output of a handler that returns gr.Tabs(selected=SEARCH)
    collection: gr.Dropdown  # name of the open collection; every tab listens to its `change`
    query: gr.State  # Query | None: what the Search tab searches from now
    searched: gr.State  # Searched | None: what the Search tab answered last, and how
    hits: gr.State  # list[Card]: what the Search tab shows
    request: gr.State  # Query | None: when it is set, the Search tab searches from it
    pair: gr.State  # Pair | None: set by the "Why?" of a hit; the Why tab listens to its `change`
