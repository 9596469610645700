"""What programs and models ask about a whole collection: copies and insights, as the jobs left them."""

from typing import Any, TypeVar

from page.collection_library import CollectionLibrary
from pipeline.duplicates.kept import KeptDuplicates
from pipeline.errors import SimileError
from pipeline.insights.kept import KeptInsights

__all__ = ["JobEndpoints"]

T = TypeVar("T")
_MOST = 100  # groups, pictures or labels of one answer


class JobEndpoints:
    """Over the collections of one library; `arguments.described` completes the docstrings."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library

    def duplicates(self, collection: str, k: int = 20, offset: int = 0) -> dict[str, Any]:
        """List the copies in a collection: groups of pictures that show the same, those with the most first.

        Args:
            k: how many groups, 1 to 100.
            offset: how many groups to leave out.

        Returns:
            `points`, pictures that were looked at; how many `groups` and `copies` there are; and `found`, for
            each group its pictures with id, places, kind (exact, re-encoded, edited, mirrored), correlation
            of pixels, width and height. The first of a group is the one to keep.
        """
        found = self._library.open(collection)
        kept = KeptDuplicates.of(found)
        if kept is None:
            raise SimileError(
                f"nobody has looked for copies in {found.name} yet; python -m ray_jobs.duplicates "
                f"{found.name} does"
            )
        shown = _some(kept.first, k, offset)
        return {
            "collection": found.name,
            "version": found.version,
            "points": kept.points,
            "groups": kept.groups,
            "copies": kept.copies,
            "found": [[copy.model_dump() for copy in group] for group in shown],
            "more": offset + len(shown) < len(kept.first),
        }

    def insights(self, collection: str, k: int = 20, offset: int = 0) -> dict[str, Any]:
        """Tell what is typical and what is odd in a collection: clusters, unusual pictures, doubtful labels.

        Args:
            k: how many unusual pictures, and how many doubtful labels of each field, 1 to 100.
            offset: how many of these to leave out.

        Returns:
            `clusters`, each with a name made of its labels, its number of pictures and ids of typical ones;
            `unusual`, ids of the pictures that are least like the others; `fields`, for each field of labels
            how many are doubtful, and the surest with id, label, what the neighbours suggest, and the shares
            of the neighbours with either; `covered`, the share of pictures near a typical one.
        """
        found = self._library.open(collection)
        kept = KeptInsights.of(found)
        if kept is None:
            raise SimileError(
                f"{found.name} has no insights yet; python -m ray_jobs.insights {found.name} makes them"
            )
        told = kept.model_dump()
        told["unusual"] = list(_some(kept.unusual, k, offset))
        for field, each in zip(told["fields"], kept.fields, strict=True):
            field["doubts"] = [doubt.model_dump() for doubt in _some(each.doubts, k, offset)]
        return {"collection": found.name, "version": found.version, **told}


def _some(found: tuple[T, ...], k: int, offset: int) -> tuple[T, ...]:
    if not 1 <= k <= _MOST or not 0 <= offset <= len(found) + _MOST:
        raise SimileError(f"k must be 1 to {_MOST}, and offset 0 or more and not beyond the end")
    return found[offset : offset + k]
