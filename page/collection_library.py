"""The collections that a page can search, without what is hidden: opened once, shared by all visitors."""

import logging
import threading
from functools import cached_property

from page.hit_pictures import HitPictures
from pipeline.errors import SimileError
from pipeline.home import resolve_home
from pipeline.locks.lock import JobRecord, job_records
from pipeline.moderation.hidden import HiddenIds
from pipeline.moderation.reports import report
from pipeline.search import PATIENCE_SECONDS, Collection
from pipeline.store import Store, open_store
from pipeline.store.hiding_store import hiding
from pipeline.store.versions import searchable, unknown_collection

__all__ = ["CollectionLibrary"]

log = logging.getLogger("simile")


class CollectionLibrary:
    """Collections of one home or server, by name.

    Attributes:
        originals: visitors may open the files of the collections.
        edits: whoever is logged in may tag and delete pictures.
        pictures: thumbnails of hits that were shown just now.
    """

    def __init__(
        self,
        home: str | None = None,
        url: str | None = None,
        originals: bool = False,
        edits: bool = False,
    ) -> None:
        self.originals, self.edits = originals, edits
        self.pictures = HitPictures()
        self._home = home
        self._url = url
        self._open: dict[str, Collection] = {}
        self._tiny: dict[str, bool] = {}  # version -> whether its pictures have few pixels
        self._lock = threading.Lock()

    @cached_property
    def _store(self) -> Store:
        """What is listed; it remembers which versions are finished."""
        return open_store(self._home, self._url, patience=PATIENCE_SECONDS)

    @property
    def where(self) -> tuple[str | None, str | None]:
        """Home and server, as they were given."""
        return self._home, self._url

    @property
    def engine(self) -> str:
        """What answers, with its version."""
        return self._store.engine

    def names(self) -> list[str]:
        """Names of the collections that can be searched now."""
        return sorted(searchable(self._store))

    def opened(self) -> list[Collection]:
        """The collections that can be opened now; the log says why others cannot."""
        found = []
        for name in self.names():
            try:
                found.append(self.open(name))
            except SimileError as error:
                log.warning("'%s' is left out of the list: %s", name, error)
        return found

    def open(self, name: str | None) -> Collection:
        """The collection of this name.

        Raises:
            SimileError: there is none, or no name was given; the message lists those that exist.
        """
        if not name:
            raise unknown_collection("", self.names())
        with self._lock:
            if name not in self._open:
                store = open_store(self._home, self._url, patience=PATIENCE_SECONDS)
                self._open[name] = Collection(name, hiding(store, HiddenIds(resolve_home(self._home), name)))
            return self._open[name]

    def report(self, name: str, point: str, reason: str) -> None:
        """Keep what a visitor says of a picture, for the owner of the page.

        Raises:
            SimileError: there is no such picture or reason, or too many were reported.
        """
        found = self.open(name)
        report(resolve_home(self._home), found.name, found.get(point).id, reason)

    def jobs(self) -> dict[str, JobRecord]:
        """Collection -> its index job in this home, if one is running or has stopped before its end."""
        return job_records(resolve_home(self._home))

    def titles(self) -> list[tuple[str, str]]:
        """(title, name) of every collection, to choose from: those of tiny pictures come last.

        One that cannot be opened is listed by name.
        """
        names = sorted(self.names(), key=lambda name: (self._is_tiny(name), name))
        return [(self._title(name), name) for name in names]

    def _is_tiny(self, name: str) -> bool:
        try:
            version = self.open(name).version
            if version not in self._tiny:
                self._tiny[version] = all(hit.is_tiny for hit in self.open(name).examples(4))
            return self._tiny[version]
        except SimileError:
            return True

    def _title(self, name: str) -> str:
        try:
            return self.open(name).title or name
        except SimileError:
            return name
