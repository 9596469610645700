"""An image -> ranked hits. Imports neither Ray nor Gradio, and torch only with the first query."""

import base64
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from qdrant_client import models

from pipeline.encoders import Encoder, load_encoder
from pipeline.errors import SimileError
from pipeline.images import THUMBNAIL_SIDE, data_url, decode
from pipeline.projection import Projection
from pipeline.store import Manifest, Store, open_store
from pipeline.store.protocol import RESERVED

__all__ = ["Collection", "Hit", "list_collections", "open_collection"]

MAX_K = 1000
Metric = Literal["cosine", "hamming"]
Picture = Image.Image | bytes | str | Path


@dataclass(frozen=True)
class Hit:
    """One result.

    Attributes:
        id: point id.
        score: cosine similarity in [−1, 1], or 1 − 2h/D for Hamming distance h of D bits; larger is nearer.
        distance: 1 − cosine (float), or differing bits (int).
        payload: columns of the source, plus `width`, `height`, `places` and `credit` under `_simile`.
        thumbnail: encoded picture, `thumbnail_type` its MIME type.
        label: a short caption from the collection's filter fields.
    """

    id: str
    score: float
    distance: float | int
    payload: dict[str, Any]
    thumbnail: bytes
    thumbnail_type: str = "image/webp"
    label: str = ""

    @property
    def data_url(self) -> str:
        """The thumbnail as a data URL."""
        return data_url(self.thumbnail, self.thumbnail_type)


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


@dataclass(frozen=True)
class _Version:
    """One build of a collection; a query uses one from beginning to end."""

    name: str
    manifest: Manifest

    def encoder(self, wanted: str | None) -> dict[str, Any]:
        encoders = self.manifest.facts["encoders"]
        for facts in encoders:
            if wanted in (None, "", facts["name"]):
                return facts
        raise SimileError(
            f"'{self.manifest.facts['collection']}' was not indexed with '{wanted}'; "
            f"it has: {', '.join(e['name'] for e in encoders)}."
        )

    def projection(self, vector: str) -> Projection:
        tensors = self.manifest.tensors
        return Projection(tensors[f"{vector}.matrix"], tensors[f"{vector}.offset"])


class Collection:
    """What a user searches. Follows its alias: a new version is used from the next query on."""

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self._store = store
        self._current = self._read(store.aliases()[name])

    def _read(self, version: str) -> _Version:
        return _Version(version, self._store.read_manifest(version))

    def _version(self) -> _Version:
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
        return str(self._encoder(self._version().encoder(None)).device)

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
        self._check(version, metric, k, filters)
        start = time.perf_counter()
        prepared = self._prepare(version, facts, [image])[0]
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
        self._check(version, metric, k, filters)
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
        return self._prepare(version, version.encoder(encoder), images)

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
        self._check(version, metric, k, filters)
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
        return self._hit(version, point_id, found[0].payload or {}, 1.0, 0)

    def examples(self, n: int = 8) -> list[Hit]:
        """`n` fixed pictures. Ids are hashes, so the first ones by id are a fair sample."""
        version = self._version()
        found = self._store.scroll(version.name, n)
        return [self._hit(version, str(r.id), r.payload or {}, 1.0, 0) for r in found]

    def facets(
        self, field: str, filters: Mapping[str, Any] | None = None, limit: int = 200
    ) -> list[tuple[Any, int]]:
        """Values of a filter field and how many pictures have each, most frequent first."""
        version = self._version()
        self._check_fields(version, [field, *(filters or {})])
        return self._store.facet(version.name, field, limit, _filter(filters))

    def _check(self, version: _Version, metric: str, k: int, filters: Mapping[str, Any] | None) -> None:
        if metric not in ("cosine", "hamming"):
            raise SimileError(f"Metric '{metric}' is not known; choose cosine or hamming.")
        if not 1 <= k <= MAX_K:
            raise SimileError(f"k is {k}; it must be between 1 and {MAX_K}.")
        self._check_fields(version, list(filters or {}))

    def _check_fields(self, version: _Version, fields: Sequence[str]) -> None:
        known = version.manifest.facts["filters"]
        for field in fields:
            if field not in known:
                raise SimileError(
                    f"'{self.name}' has no filter field '{field}'; it has: {', '.join(known) or 'none'}."
                )

    def _encoder(self, facts: dict[str, Any]) -> Encoder:
        encoder = _loaded_encoder(facts["name"])
        if encoder.fingerprint != facts["fingerprint"]:
            raise SimileError(
                f"'{self.name}' was indexed with {facts['name']} {facts['fingerprint']} and here that is "
                f"{encoder.fingerprint}; index it again, or bring back the weights it was made with."
            )
        return encoder

    def _prepare(self, version: _Version, facts: dict[str, Any], images: Sequence[Picture]) -> np.ndarray:
        network = self._encoder(facts)
        raw = network.encode([_opened(image, network.decode_side) for image in images])
        return version.projection(facts["vector"]).apply(raw)

    def _nearest(
        self,
        version: _Version,
        facts: dict[str, Any],
        prepared: np.ndarray,
        metric: str,
        k: int,
        filters: Mapping[str, Any] | None,
        exact: bool,
        without: str | None = None,
    ) -> list[Hit]:
        settings = version.manifest.facts["search"]
        params = models.SearchParams(
            exact=exact,
            hnsw_ef=None if exact else max(settings["hnsw_ef"], k),
            quantization=models.QuantizationSearchParams(
                ignore=exact, rescore=True, oversampling=settings["oversampling"]
            ),
        )
        hamming = metric == "hamming"
        found = self._store.query(
            version.name,
            Projection.codes(prepared) if hamming else prepared,
            using=facts["code"] if hamming else facts["vector"],
            limit=k + (without is not None),
            query_filter=_filter(filters),
            params=params,
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
            hits.append(self._hit(version, str(point.id), point.payload or {}, score, distance))
        return hits[:k]

    @staticmethod
    def _hit(
        version: _Version, point_id: str, payload: dict[str, Any], score: float, distance: float | int
    ) -> Hit:
        payload = dict(payload)
        own = dict(payload.pop(RESERVED, {}))
        thumbnail = base64.b64decode(own.pop("thumbnail", ""))
        kind = own.pop("thumbnail_type", "image/webp")
        fields = version.manifest.facts["filters"]
        label = " · ".join(str(payload[field]) for field in fields if payload.get(field) not in (None, ""))
        return Hit(point_id, float(score), distance, payload | {RESERVED: own}, thumbnail, kind, label)


@lru_cache(maxsize=4)
def _loaded_encoder(name: str) -> Encoder:
    """Collections that share an encoder share its network."""
    return load_encoder(name)


def _opened(image: Picture, side: int) -> Image.Image:
    """Huge JPEGs are decoded at a reduced scale, as the index job does."""
    side = max(THUMBNAIL_SIDE, side)
    if isinstance(image, Image.Image):
        return image
    if isinstance(image, bytes):
        return decode(image, min_side=side)
    try:
        return decode(Path(image).read_bytes(), min_side=side)
    except OSError as error:
        raise SimileError(f"'{image}' cannot be read: {error.strerror}.") from error


def _filter(filters: Mapping[str, Any] | None) -> models.Filter | None:
    """Field -> value or values, ANDed; empty lists ask nothing."""
    must: list[Any] = []
    for field, wanted in (filters or {}).items():
        if isinstance(wanted, list | tuple | set):
            if wanted:
                must.append(models.FieldCondition(key=field, match=models.MatchAny(any=list(wanted))))
        else:
            must.append(models.FieldCondition(key=field, match=models.MatchValue(value=wanted)))
    return models.Filter(must=must) if must else None


def _milliseconds(start: float, embedded: float) -> dict[str, float]:
    end = time.perf_counter()
    return {"embed_ms": round((embedded - start) * 1e3, 2), "search_ms": round((end - embedded) * 1e3, 2)}
