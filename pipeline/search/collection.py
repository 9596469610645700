"""A collection answers queries: ranked hits, counts, stored pictures."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from pipeline.errors import SimileError
from pipeline.projection import Projection
from pipeline.search.embedding import Picture, encoder_of, opened, prepare
from pipeline.search.hit import Hit, hit_from
from pipeline.search.reasons import Reasons, find_reasons
from pipeline.search.settings import Metric, check_metric_and_k, qdrant_filter, search_params
from pipeline.search.version import Version
from pipeline.store import Store, open_store

__all__ = ["Collection", "list_collections", "open_collection"]


def list_collections(home: str | None = None, url: str | None = None) -> list[str]:
    """Names of the collections that can be searched now."""
    return sorted(open_store(home, url).aliases())


def open_collection(name: str, home: str | None = None, url: str | None = None) -> "Collection":
    """A collection of the embedded store below `home`, or of the Qdrant server at `url`.

    Raises:
        SimileError: there is none of this name; the message lists those that exist.
    """
    store = open_store(home, url)
    there = sorted(store.aliases())
    if name not in there:
        known = ", ".join(there) if there else "none yet; index one with python -m ray_jobs.index"
        raise SimileError(f"Collection '{name}' does not exist; there are: {known}.")
    return Collection(name, store)


class Collection:
    """What a user searches. Follows its alias: a new version is used from the next query on."""

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self._store = store
        self._current = self._read(store.aliases()[name])

    def _read(self, version: str) -> Version:
        return Version(version, self._store.read_manifest(version))

    def _version(self) -> Version:
        live = self._store.aliases().get(self.name)
        if live is None:
            raise SimileError(f"Collection '{self.name}' was removed while it was open.")
        if live != self._current.name:
            self._current = self._read(live)
        return self._current

    @property
    def manifest(self) -> dict[str, Any]:
        """What the live version says of itself."""
        return self._version().manifest.facts

    @property
    def title(self) -> str:
        """Name for people."""
        return self.manifest.get("title") or self.name

    @property
    def count(self) -> int:
        """Pictures in the live version."""
        return self._store.count(self._version().name)

    @property
    def encoders(self) -> list[str]:
        """Encoder names; the first is the default."""
        return [facts["name"] for facts in self.manifest["encoders"]]

    @property
    def filters(self) -> list[str]:
        """Payload fields that can be filtered and counted."""
        return list(self.manifest["filters"])

    @property
    def credit(self) -> str | None:
        """Who is to be credited."""
        return self.manifest.get("credit")

    @cached_property
    def device(self) -> str:
        """Where queries are embedded."""
        version = self._version()
        return str(encoder_of(version, version.encoder(None)).device)

    def warm_up(self) -> None:
        """Load the default encoder and run it once, so that the first visitor does not wait for it."""
        self.search(Image.new("RGB", (64, 64)), k=1)

    def search(
        self,
        image: Picture,
        metric: Metric = "cosine",
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        exact: bool = False,
        encoder: str | None = None,
    ) -> list[Hit]:
        """Pictures that look like `image`, nearest first.

        Args:
            image: PIL image, encoded bytes, or a path.
            metric: `cosine` over prepared vectors, or `hamming` over their codes.
            k: hits wanted, 1 to 1,000.
            filters: payload field -> value, or list of values of which one must match; fields are ANDed.
            exact: compare with every point instead of the HNSW graph over quantized vectors.
            encoder: one of `encoders`.

        Raises:
            SimileError: unknown metric, encoder or filter field, k out of bounds, or an unusable picture.
        """
        return self.search_timed(image, metric, k, filters, exact, encoder)[0]

    def search_timed(
        self,
        image: Picture,
        metric: Metric = "cosine",
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        exact: bool = False,
        encoder: str | None = None,
    ) -> tuple[list[Hit], dict[str, float]]:
        """`search`, and the milliseconds it took: `embed_ms` (decoding included) and `search_ms`."""
        version = self._version()
        facts = version.encoder(encoder)
        _check(version, metric, k, filters)
        start = time.perf_counter()
        prepared = prepare(version, facts, [image])[0]
        embedded = time.perf_counter()
        hits = self._nearest(version, facts, prepared, metric, k, filters, exact)
        return hits, _milliseconds(start, embedded)

    def search_id(
        self,
        point_id: str,
        metric: Metric = "cosine",
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        exact: bool = False,
        encoder: str | None = None,
    ) -> tuple[list[Hit], dict[str, float]]:
        """Like `search_timed`, from a stored point, which is left out of its own results."""
        version = self._version()
        facts = version.encoder(encoder)
        _check(version, metric, k, filters)
        start = time.perf_counter()
        found = self._store.retrieve(version.name, [point_id], with_vectors=[facts["vector"]])
        if not found:
            raise SimileError(f"'{self.name}' has no picture '{point_id}' any more; search again.")
        prepared = np.asarray(found[0].vector[facts["vector"]], np.float32)  # type: ignore[index]
        hits = self._nearest(version, facts, prepared, metric, k, filters, exact, without=point_id)
        return hits, _milliseconds(start, start)

    def embed(self, images: Sequence[Picture], encoder: str | None = None) -> np.ndarray:
        """Prepared vectors of pictures: (N, D) float32, not normalised; for `search_vector`."""
        version = self._version()
        return prepare(version, version.encoder(encoder), images)

    def search_vector(
        self,
        prepared: np.ndarray,
        metric: Metric = "cosine",
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        exact: bool = False,
        encoder: str | None = None,
    ) -> list[Hit]:
        """`search` for a vector (D,) that `embed` made."""
        version = self._version()
        _check(version, metric, k, filters)
        return self._nearest(version, version.encoder(encoder), prepared, metric, k, filters, exact)

    def ids(self) -> Iterator[str]:
        """Ids of all pictures, in order."""
        version, offset = self._version().name, None
        while page := [str(r.id) for r in self._store.scroll(version, 1000, offset)]:
            fresh = page[1:] if page[0] == offset else page  # a page begins with its offset
            if not fresh:
                return
            yield from fresh
            offset = fresh[-1]

    def get(self, point_id: str) -> Hit:
        """A stored picture; its score is 1 and its distance 0."""
        version = self._version()
        found = self._store.retrieve(version.name, [point_id])
        if not found:
            raise SimileError(f"'{self.name}' has no picture '{point_id}' any more; search again.")
        return hit_from(point_id, found[0].payload or {}, version.filters)

    def examples(self, n: int = 8) -> list[Hit]:
        """`n` fixed pictures. Ids are hashes, so the first ones by id are a fair sample."""
        version = self._version()
        found = self._store.scroll(version.name, n)
        return [hit_from(str(r.id), r.payload or {}, version.filters) for r in found]

    def why(
        self,
        query: Picture,
        hit_id: str,
        encoder: str | None = None,
        query_id: str | None = None,
    ) -> Reasons:
        """Why the picture `hit_id` is near `query`: heat maps, bits, rank and score under each metric.

        Args:
            query: the picture that was searched from; of a stored one its thumbnail.
            hit_id: a point of this collection.
            encoder: one of `encoders`.
            query_id: the query's own point, where it is stored.

        Raises:
            SimileError: a point that is gone, an unusable picture, or a network that cannot show its places.
        """
        version = self._version()
        facts = version.encoder(encoder)
        side = encoder_of(version, facts).decode_side
        pictures = [opened(picture, side) for picture in (query, self.get(hit_id).thumbnail)]
        return find_reasons(self._store, version, facts, pictures[0], pictures[1], hit_id, query_id)

    def facets(
        self, field: str, filters: Mapping[str, Any] | None = None, limit: int = 200
    ) -> list[tuple[Any, int]]:
        """Values of a filter field and how many pictures have each, most frequent first."""
        version = self._version()
        version.check_fields([field, *(filters or {})])
        return self._store.facet(version.name, field, limit, qdrant_filter(filters))

    def _nearest(
        self,
        version: Version,
        facts: dict[str, Any],
        prepared: np.ndarray,
        metric: str,
        k: int,
        filters: Mapping[str, Any] | None,
        exact: bool,
        without: str | None = None,
    ) -> list[Hit]:
        hamming = metric == "hamming"
        found = self._store.query(
            version.name,
            Projection.codes(prepared) if hamming else prepared,
            using=facts["code"] if hamming else facts["vector"],
            limit=k + (without is not None),
            query_filter=qdrant_filter(filters),
            params=search_params(version.facts["search"], k, exact),
        )
        bits = facts["prepared_dimension"]
        hits = []
        for point in found:
            if str(point.id) == without:
                continue
            if hamming:
                distance: float | int = round((bits - point.score) / 2)
                score = point.score / bits
            else:
                score, distance = point.score, 1.0 - point.score
            hits.append(hit_from(str(point.id), point.payload or {}, version.filters, score, distance))
        return hits[:k]


def _milliseconds(start: float, embedded: float) -> dict[str, float]:
    end = time.perf_counter()
    return {"embed_ms": round((embedded - start) * 1e3, 2), "search_ms": round((end - embedded) * 1e3, 2)}


def _check(version: Version, metric: str, k: int, filters: Mapping[str, Any] | None) -> None:
    check_metric_and_k(metric, k)
    version.check_fields(filters or {})
