"""A collection answers queries: ranked hits. Open one with `open_collection`."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from pipeline.encoders.all_cores import groups_of, on_all_cores
from pipeline.encoders.precomputed import is_precomputed
from pipeline.errors import SimileError
from pipeline.images import Picture
from pipeline.images.several import pictures_of
from pipeline.search.colour_search import colour_search, run_with_colours
from pipeline.search.edited_collection import EditedCollection
from pipeline.search.hit import Found, Hit, Hits
from pipeline.search.own_kind import is_of_another_kind, knows_own_kind, learn_own_kind
from pipeline.search.query import Example, Metric, Settings, check_examples
from pipeline.search.query_embedding import Prepared, embed_examples, prepare
from pipeline.search.ranking import Search
from pipeline.store import open_store
from pipeline.store.versions import searchable

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
    return Collection(name, open_store(home, url, patience=PATIENCE_SECONDS), home)


class Collection(EditedCollection):
    """What a user searches. Follows its alias: a new version is used from the next query on."""

    def warm_up(self) -> None:
        """Load the default encoder and run it, so that the first visitor does not wait for it."""
        if not is_precomputed(self.encoders[0]):
            self.search(Image.new("RGB", (64, 64)), k=1)
            self.learn_own_kind()

    def learn_own_kind(self, encoder: str | None = None) -> None:
        """Learn which pictures are of another kind than the collection's, see `own_kind`."""
        version = self._version()
        if is_precomputed(version.manifest.encoder(encoder).name):
            return  # a picture cannot be embedded, so none is of another kind
        learn_own_kind(self._store, version, version.manifest.encoder(encoder))

    def find(
        self,
        likes: Sequence[Example],
        dislikes: Sequence[Example] = (),
        settings: Settings | None = None,
    ) -> Found:
        """Pictures like `likes` and not like `dislikes`, or in the colours of `settings`, or both.

        Args:
            likes: one or more, none with colours; several count as `settings.combine` says.
            dislikes: no hit is nearer to one of these than to every like.

        Raises:
            SimileError: no likes or more than 64 examples, bad settings, an unusable picture, an id that is
                gone, words that name no label, matches asked of a collection that was not calibrated.
        """
        start = time.perf_counter()
        search = self._prepared(likes, dislikes, settings or Settings())
        embedded = time.perf_counter()
        hits, more = run_with_colours(search, self._store)
        searched = time.perf_counter()
        every = (*likes, *dislikes)
        stored = all(example.id or example.vector for example in every)  # no network ran
        embed_ms = 0.0 if stored else round((embedded - start) * 1e3, 2)
        search_ms = round((searched - embedded) * 1e3, 2)
        by_pictures = bool(likes) and all(example.picture is not None for example in likes)
        foreign = by_pictures and is_of_another_kind(search.version, search.entry, search.likes)
        # Where own pictures were learnt, they say more of a new picture than the score of its best hit does.
        learnt = by_pictures and knows_own_kind(search.version, search.entry)
        unknown = search.settings.colours or learnt or any(example.text for example in every)
        close = None if unknown else search.close
        return Found(Hits(hits), embed_ms, search_ms, more, search.threshold, close, foreign)

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
        check_examples(likes, dislikes)
        if not likes and not (settings.colours and not dislikes):
            raise SimileError("There is nothing to look for; give a picture, or mark one that you like.")
        if not likes:
            return colour_search(version, entry, settings)
        every, n = (*likes, *dislikes), len(likes)
        if len(every) > MAX_EXAMPLES:
            raise SimileError(f"{len(every)} likes and dislikes are too many; give at most {MAX_EXAMPLES}.")
        examples = embed_examples(self._store, version, entry, every)
        own = [one for example in every for one in (example.id, example.part_of) if one]
        return Search(version, entry, settings, examples[:n], examples[n:], own)

    def search(
        self,
        image: Picture | None = None,
        metric: Metric = "cosine",
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        exact: bool = False,
        encoder: str | None = None,
        colours: Sequence[str] = (),
    ) -> list[Hit]:
        """Pictures that look like `image`, nearest first; the arguments are those of `Settings`.

        Args:
            image: a PIL image, encoded bytes, a path, a numpy array or a torch tensor, as
                `pipeline.images.as_rgb` takes them; None to search by `colours` alone.

        Raises:
            SimileError: unknown metric, encoder or filter field, k out of bounds, or an unusable picture.
        """
        settings = Settings(metric, k, filters=filters, exact=exact, encoder=encoder, colours=colours)
        return self.find([] if image is None else [Example(picture=image)], settings=settings).hits

    def search_many(
        self,
        images: Sequence[Picture],
        metric: Metric = "cosine",
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        exact: bool = False,
        encoder: str | None = None,
    ) -> list[Hits]:
        """`search` for each of many pictures, on all cores; all in the version that is live at the beginning.

        Raises:
            SimileError: as `search`; for one picture that is unusable nothing is returned of the others.
        """
        images = pictures_of(images, "search_many")
        version = self._version()
        settings = Settings(metric, k, filters=filters, exact=exact, encoder=encoder)
        settings.check(version)
        entry = version.manifest.encoder(encoder)

        def searched(some: Sequence[Prepared]) -> list[Hits]:
            every = (Search(version, entry, settings, [one]) for one in some)
            return [Hits(search.run(self._store)[0]) for search in every]

        prepared = prepare(version, entry, images) if images else []
        return [hits for group in on_all_cores(searched, groups_of(prepared)) for hits in group]

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
        projection = version.manifest.projection_of(entry)
        apart = projection.codes_apart
        rows = [np.empty((0, projection.dimension + (projection.bits if apart else 0)), np.float32)]
        given = pictures_of(images, "embed")
        made = prepare(version, entry, given) if given else []
        rows += [np.concatenate([p.vector, p.code] if apart else [p.vector])[None] for p in made]
        return np.concatenate(rows)

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
        hits, _ = Search(version, entry, settings, [Prepared(prepared[:width], code)]).run(self._store)
        return Hits(hits)
