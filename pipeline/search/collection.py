"""A collection answers queries: ranked hits, counts, stored pictures."""

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.images import Picture
from pipeline.search.counts import Counted, Counts
from pipeline.search.hit import Found, Hit
from pipeline.search.own_kind import is_of_another_kind, learn_own_kind
from pipeline.search.query import Example, Metric, Settings
from pipeline.search.query_embedding import Prepared, embed_examples, encoder_of, prepare
from pipeline.search.ranking import Search
from pipeline.search.stored_pictures import StoredPictures
from pipeline.store import Store, open_store
from pipeline.store.manifest import EncoderEntry, Manifest, Version
from pipeline.store.versions import builds, is_finished, read_version, searchable, unknown_collection

__all__ = ["PATIENCE_SECONDS", "Collection", "list_collections", "open_collection"]

MAX_EXAMPLES = 64  # likes and dislikes of one search
PATIENCE_SECONDS = 8.0  # seconds to wait for a server that is away, while a person waits for the answer


def list_collections(home: str | None = None, url: str | None = None) -> list[str]:
    """Names of the collections that can be searched now."""
    return sorted(searchable(open_store(home, url, patience=PATIENCE_SECONDS)))


def open_collection(name: str, home: str | None = None, url: str | None = None) -> "Collection":
    """A collection of the embedded store below `home`, or of the Qdrant server at `url`.

    Raises:
        SimileError: there is none of this name; the message lists those that exist.
    """
    store = open_store(home, url, patience=PATIENCE_SECONDS)
    if name not in store.aliases():
        raise unknown_collection(name, searchable(store))
    return Collection(name, store)


class Collection(StoredPictures):
    """What a user searches. Follows its alias: a new version is used from the next query on."""

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self._store = store
        self._counts = Counts(store)
        self._current = self._read(store.aliases()[name])

    def _read(self, version: str) -> Version:
        (found := read_version(self._store, version)).check_fingerprints()
        return found

    def _version(self) -> Version:
        live = self._store.aliases().get(self.name)
        if live is None:
            raise SimileError(f"Collection '{self.name}' was removed while it was open.")
        current = self._current  # another thread may put an older one there at any moment
        if live != current.name:
            fresh = self._current = self._read(live)
            self._store.release(current.name)
            return fresh
        return current

    # --- facts

    @property
    def version(self) -> str:
        """Name of the live version."""
        return self._version().name

    @property
    def unfinished(self) -> str | None:
        """Name of a version newer than the live one: it is being built, or its job was stopped."""
        newer = [name for name in builds(self._store, self.name) if name > self.version]
        return next((name for name in reversed(newer) if not is_finished(self._store, name)), None)

    def encoder_entry(self, name: str | None = None) -> EncoderEntry:
        """What the manifest says of an encoder; the first one where none is named."""
        return self.manifest.encoder(name)

    @property
    def manifest(self) -> Manifest:
        """What the live version says of itself."""
        return self._version().manifest

    @property
    def title(self) -> str:
        """Name for people."""
        return self.manifest.title or self.name

    @property
    def count(self) -> int:
        """Pictures in the live version."""
        return self._store.count(self._version().name)

    @property
    def counted(self) -> Counted:
        """The same to be shown: of half a minute ago at most, and about so many where they are many."""
        return self._counts.points(self._version())

    @property
    def encoders(self) -> list[str]:
        """Encoder names; the first is the default."""
        return [entry.name for entry in self.manifest.encoders]

    @property
    def filters(self) -> list[str]:
        """Payload fields that can be filtered."""
        return list(self.manifest.filters)

    @property
    def kinds(self) -> Mapping[str, FieldKind]:
        """What each of the filters holds."""
        return self.manifest.kinds

    @property
    def credit(self) -> str | None:
        """Who is to be credited."""
        return self.manifest.credit

    @cached_property
    def device(self) -> str:
        """Where queries are embedded."""
        version = self._version()
        return str(encoder_of(version, version.manifest.encoder(None)).device)

    def attachment(self, name: str) -> bytes | None:
        """What is kept beside the live version under a plain name: its map, its report."""
        return self._store.attachment(self._version().name, name)

    def warm_up(self) -> None:
        """Load the default encoder and run it, so that the first visitor does not wait for it."""
        self.search(Image.new("RGB", (64, 64)), k=1)
        self.learn_own_kind()

    def learn_own_kind(self, encoder: str | None = None) -> None:
        """Learn which pictures are of another kind than the collection's, see `own_kind`."""
        version = self._version()
        learn_own_kind(self._store, version, version.manifest.encoder(encoder))

    # --- search

    def find(
        self,
        likes: Sequence[Example],
        dislikes: Sequence[Example] = (),
        settings: Settings | None = None,
    ) -> Found:
        """Pictures like `likes` and not like `dislikes`.

        Args:
            likes: one or more; several count as `settings.combine` says.
            dislikes: no hit is nearer to one of these than to every like.

        Raises:
            SimileError: no likes or more than 64 examples, bad settings, an unusable picture, an id that is
                gone, words that name no label, matches asked of a collection that was not calibrated.
        """
        start = time.perf_counter()
        every = (*likes, *dislikes)
        search = self._prepared(likes, dislikes, settings or Settings())
        embedded = time.perf_counter()
        hits, more = search.run(self._store)
        searched = time.perf_counter()
        stored = all(example.id for example in every)  # vectors were looked up, no network ran
        embed_ms = 0.0 if stored else round((embedded - start) * 1e3, 2)
        search_ms = round((searched - embedded) * 1e3, 2)
        close = None if any(example.text for example in every) else search.close
        foreign = all(example.picture is not None for example in likes) and is_of_another_kind(
            search.version, search.entry, search.likes
        )
        return Found(hits, embed_ms, search_ms, more, search.threshold, close, foreign)

    def count_near(self, like: Example, settings: Settings, scores: Sequence[float]) -> list[int]:
        """How many pictures reach each of `scores` in a search from one thing, at most 1,000 each.

        Args:
            scores: of `Hit.score`, one or more.
        """
        return self._prepared([like], (), settings).count(self._store, scores)

    def _prepared(self, likes: Sequence[Example], dislikes: Sequence[Example], settings: Settings) -> Search:
        version = self._version()
        settings.check(version)
        entry = version.manifest.encoder(settings.encoder)
        if not likes:
            raise SimileError("There is nothing to look for; give a picture, or mark one that you like.")
        every, n = (*likes, *dislikes), len(likes)
        if len(every) > MAX_EXAMPLES:
            raise SimileError(f"{len(every)} likes and dislikes are too many; give at most {MAX_EXAMPLES}.")
        examples = embed_examples(self._store, version, entry, every)
        own = [one for example in every for one in (example.id, example.part_of) if one]
        return Search(version, entry, settings, examples[:n], examples[n:], own)

    def search(
        self,
        image: Picture,
        metric: Metric = "cosine",
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        exact: bool = False,
        encoder: str | None = None,
    ) -> list[Hit]:
        """Pictures that look like `image`, nearest first; the arguments are those of `Settings`.

        Args:
            image: a PIL image, encoded bytes, a path, a numpy array or a torch tensor, as
                `pipeline.images.as_rgb` takes them.

        Raises:
            SimileError: unknown metric, encoder or filter field, k out of bounds, or an unusable picture.
        """
        settings = Settings(metric, k, filters=filters, exact=exact, encoder=encoder)
        return self.find([Example(picture=image)], settings=settings).hits

    def search_id(
        self,
        point_id: str,
        metric: Metric = "cosine",
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        exact: bool = False,
        encoder: str | None = None,
    ) -> tuple[list[Hit], dict[str, float]]:
        """Like `search`, from a stored picture, which is left out; and the milliseconds it took."""
        found = self.find([Example(id=point_id)], (), Settings(metric, k, 0, filters, None, exact, encoder))
        return found.hits, found.times

    def embed(self, images: Sequence[Picture], encoder: str | None = None) -> np.ndarray:
        """Prepared vectors of pictures: (N, D) float32, not normalised; for `search_vector`.

        Where codes are not the signs of prepared vectors, each row is followed by its code.
        """
        version = self._version()
        entry = version.manifest.encoder(encoder)
        apart = version.manifest.projection_of(entry).codes_apart
        rows = [[p.vector, p.code] if apart else [p.vector] for p in prepare(version, entry, images)]
        return np.stack([np.concatenate(row) for row in rows])

    def search_vector(
        self,
        prepared: np.ndarray,
        metric: Metric = "cosine",
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        exact: bool = False,
        encoder: str | None = None,
    ) -> list[Hit]:
        """`search` for a row that `embed` made with the same version."""
        version = self._version()
        entry = version.manifest.encoder(encoder)
        settings = Settings(metric, k, filters=filters, exact=exact, encoder=encoder)
        settings.check(version)
        projection = version.manifest.projection_of(entry)
        width = projection.dimension
        expected = width + (projection.bits if projection.codes_apart else 0)
        if len(prepared) != expected:
            raise SimileError(
                f"A vector of '{self.name}' has {expected} components and this one {len(prepared)}; make it "
                "with `embed`."
            )
        code = prepared[width:] if projection.codes_apart else projection.codes(prepared[None])[0]
        return Search(version, entry, settings, [Prepared(prepared[:width], code)]).run(self._store)[0]
