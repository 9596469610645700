"""Search by a palette: alone, or together with pictures and words.

Closeness to a picture and closeness to a palette are scores of different kinds, which no weights make one.
So of the pictures nearest to the query the ranks count: each is placed by the query and by the palette, and
the two places are joined by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.errors import SimileError
from pipeline.images import THUMBNAIL_SIDE, Picture, main_colours
from pipeline.images.palette import COLOUR_VECTOR, MAX_COLOURS, palette_histogram
from pipeline.search.hit import Hit
from pipeline.search.query import Box, Settings
from pipeline.search.query_embedding import Prepared, opened
from pipeline.search.ranking import Search
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry, Version

__all__ = ["COLOUR_CANDIDATES", "colour_search", "colours_of", "fused_order", "run_with_colours"]

COLOUR_CANDIDATES = 300  # nearest pictures of a query that its palette ranks; the same for all pages of hits
# Added to both places. The paper has 60, for lists of thousands; of 300, a smaller one keeps what is best by
# both ways in front of what is good by one.
_SMOOTHING = 20


def colours_of(picture: Picture, most: int = MAX_COLOURS, box: Box | None = None) -> list[str]:
    """Up to `most` colours that stand for a picture, commonest first, to search by: such as `#aa3311`.

    Args:
        picture: in any of the forms that `pipeline.images.as_rgb` takes.
        box: only this part of it.

    Raises:
        SimileError: an unusable picture.
    """
    return main_colours(opened(picture, THUMBNAIL_SIDE, box), most)


def colour_search(version: Version, entry: EncoderEntry, settings: Settings) -> Search:
    """A search by the colours of `settings` alone.

    Raises:
        SimileError: matches are asked for, and colours have no score of a match.
    """
    if settings.matches_only:
        raise SimileError("Colours have no score of a match; ask for a number of hits (k) instead.")
    palette = palette_histogram(settings.colours)
    return Search(version, entry, settings, [Prepared(palette, np.ones(0, np.float32))], by=COLOUR_VECTOR)


def run_with_colours(search: Search, store: Store) -> tuple[list[Hit], bool]:
    """`Search.run`; where a query has colours as well, its nearest pictures ranked by both."""
    settings = search.settings
    if search.by or not settings.colours:
        return search.run(store)
    nearest, _ = replace(search, settings=replace(settings, k=COLOUR_CANDIDATES, offset=0)).run(store)
    if not nearest:
        return [], False
    records = store.retrieve(
        search.version.name, [hit.id for hit in nearest], with_vectors=[COLOUR_VECTOR], fields=()
    )
    colours = {str(one.id): one.vector[COLOUR_VECTOR] for one in records}  # type: ignore[index,call-overload]
    near = np.array([colours[hit.id] for hit in nearest], np.float32) @ palette_histogram(settings.colours)
    ordered = [nearest[at] for at in fused_order(near)]
    end = settings.offset + settings.k
    return ordered[settings.offset : end], len(ordered) > end


def fused_order(closeness: Sequence[float] | np.ndarray) -> list[int]:
    """The order of N things that come best first by one measure, by that and by another together.

    Args:
        closeness: (N,), by the other measure; larger is nearer.

    >>> fused_order([0.1, 0.9, 0.8])
    [1, 0, 2]
    """
    given = np.asarray(closeness, np.float64)
    places = np.empty(len(given))
    places[np.argsort(-given, kind="stable")] = np.arange(len(given))
    fused = 1 / (_SMOOTHING + np.arange(len(given))) + 1 / (_SMOOTHING + places)
    return [int(at) for at in np.argsort(-fused, kind="stable")]
