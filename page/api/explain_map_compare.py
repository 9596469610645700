"""What programs and models call to understand hits: why one was found, its place on the map, by which way."""

from dataclasses import asdict
from typing import Any

import numpy as np

from page.api.arguments import parsed_example, parsed_id, picture_bytes, settings_of
from page.api.filter_values import with_known_values
from page.collection_library import CollectionLibrary
from page.components.map_files import MapFiles, OpenMap
from pipeline.errors import SimileError
from pipeline.search import Hit
from pipeline.vectors import agreeing_bits
from pipeline.why.reasons import find_reasons

__all__ = ["HitEndpoints"]

_MOST_PLACES = 1000  # of one answer: about 100 kB


class HitEndpoints:
    """Over the collections of one library; `arguments.described` completes the docstrings."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library
        self._maps = MapFiles()

    def explain(
        self, hit_id: str, collection: str, id: str = "", image: str = "", encoder: str = ""
    ) -> dict[str, Any]:
        """Say why a picture of a collection resembles another: which parts, which bits, and its rank.

        Give either `id` or `image` as the picture that was searched from.

        Args:
            hit_id: the `id` of a hit.
            collection: its collection.
            id: the `id` of the stored picture that was searched from.
            image: or that picture in base64 or as a data URL.

        Returns:
            `similarity`; `exact`, whether the heat adds up to it; `query_heat` and `hit_heat`, rows of
            numbers over the parts of both pictures that the network saw; `agreeing_bits` of `bits`; and for
            each metric the hit's score, distance, exact rank and how unusual the score is.
        """
        found = self._library.open(collection)
        if bool(id) == bool(image):
            raise SimileError("give either the id of a stored picture or an image to explain a hit by")
        own = parsed_id(id).id if id else None
        picture = found.get(own).thumbnail if own else picture_bytes(image)
        hit = parsed_id(hit_id).id or ""
        reasons = find_reasons(found, picture, hit, encoder or None, own)
        told = reasons.explanation
        return {
            "similarity": round(float(told.similarity), 6),
            "exact": told.exact,
            "query_heat": np.round(told.query, 4).tolist(),
            "hit_heat": np.round(told.hit, 4).tolist(),
            "agreeing_bits": int(agreeing_bits(reasons.query_code, reasons.hit_code).sum()),
            "bits": len(reasons.hit_code),
            "standings": [asdict(standing) for standing in reasons.standings],
        }

    def map(
        self,
        collection: str,
        ids: list[str] = [],  # noqa: B006 (Gradio reads the default; nothing changes it)
        k: int = 200,
    ) -> dict[str, Any]:
        """Tell where pictures lie on a collection's map, a plane on which similar pictures are neighbours.

        Args:
            ids: ids of earlier hits in the same collection; empty for pictures spread over the whole map.
            k: how many pictures where no ids are given, 1 to 1000.

        Returns:
            `points`, how many pictures the map has; `places`, each with id, x and y from -1 to 1, and its
            labels; `missing`, the ids that are not on the map.
        """
        found = self._library.open(collection)
        opened = self._maps.of(found)
        if opened is None:
            raise SimileError(f"{found.name} has no map yet; python -m ray_jobs.map {found.name} makes one")
        wanted = [parsed_id(one).id or "" for one in ids or []]
        if len(wanted) > _MOST_PLACES or isinstance(k, bool) or not 1 <= k <= _MOST_PLACES:
            raise SimileError(f"ask a map for 1 to {_MOST_PLACES:,} pictures at a time")
        at = [opened.numbers[one] for one in wanted if one in opened.numbers]
        if not wanted:
            count = len(opened.map.ids)
            at = np.unique(np.linspace(0, count - 1, min(int(k), count)).round().astype(int)).tolist()
        return {
            "points": len(opened.map.ids),
            "places": [_place(opened, i) for i in at],
            "missing": [one for one in wanted if one not in opened.numbers],
        }

    def compare(
        self,
        query: str,
        collection: str,
        left_metric: str = "cosine",
        right_metric: str = "hamming",
        left_encoder: str = "",
        right_encoder: str = "",
        left_exact: bool = False,
        right_exact: bool = False,
        k: int = 24,
        filters: str = "{}",
    ) -> dict[str, Any]:
        """Search with one picture in two ways, and tell what both find.

        Args:
            left_metric: cosine (finer) or hamming (faster), of the first way.
            right_metric: the same of the second way.
            left_encoder: one of the collection's encoders; empty for its default.
            right_encoder: the same of the second way.
            left_exact: compare with every picture instead of the index.
            right_exact: the same of the second way.
            k: how many pictures each way, 1 to 100.

        Returns:
            `shared`, how many pictures both ways find; `left` and `right`, each a list of id, score,
            distance and `shared`, nearest first.
        """
        found, likes = self._library.open(collection), [parsed_example(query)]
        ways = ((left_metric, left_exact, left_encoder), (right_metric, right_exact, right_encoder))
        left, right = (
            found.find(
                likes, settings=with_known_values(found, settings_of(metric, k, filters, exact, encoder))
            ).hits
            for metric, exact, encoder in ways
        )
        both = {hit.id for hit in left} & {hit.id for hit in right}
        return {
            "shared": len(both),
            "left": [_ranked(hit, both) for hit in left],
            "right": [_ranked(hit, both) for hit in right],
            "collection": found.name,
        }


def _place(opened: OpenMap, i: int) -> dict[str, Any]:
    x, y = opened.map.positions[i].round(5).tolist()
    labels = {name: of.names[int(of.values[i])] for name, of in opened.map.labels.items()}
    return {"id": opened.map.ids[i], "x": x, "y": y, "labels": labels}


def _ranked(hit: Hit, both: set[str]) -> dict[str, Any]:
    return {"id": hit.id, "score": hit.score, "distance": hit.distance, "shared": hit.id in both}
