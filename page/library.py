"""The collections a page can search: found while it runs, opened once, shared by all visitors."""

import threading

from pipeline.errors import SimileError
from pipeline.home import resolve_home
from pipeline.indexing.lock import JobRecord, job_records
from pipeline.search import Collection, list_collections, open_collection


class Library:
    """Collections of one home or server, by name."""

    def __init__(self, home: str | None = None, url: str | None = None) -> None:
        self._home = home
        self._url = url
        self._open: dict[str, Collection] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Names of the collections that exist now."""
        return list_collections(home=self._home, url=self._url)

    def open(self, name: str | None) -> Collection:
        """The collection of this name; the error names those that exist."""
        if not name:
            raise SimileError("no collection was chosen; there are: " + ", ".join(self.names()))
        with self._lock:
            if name not in self._open:
                self._open[name] = open_collection(name, home=self._home, url=self._url)
            return self._open[name]

    def jobs(self) -> dict[str, JobRecord]:
        """Collection -> the job that writes it now or stopped before its end, as far as this home knows."""
        return job_records(resolve_home(self._home))

    def titles(self) -> list[tuple[str, str]]:
        """(title, name) of every collection, to choose from. One that will not open keeps its name."""
        return [(self._title(name), name) for name in self.names()]

    def _title(self, name: str) -> str:
        try:
            return self.open(name).title or name
        except SimileError:
            return name
