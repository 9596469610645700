"""A collection follows its alias, and says what the live version is."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.printable import printable
from pipeline.search.counts import Counted, Counts
from pipeline.search.query_embedding import encoder_of
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry, Manifest, Version
from pipeline.store.versions import builds, is_finished, read_version, searchable, unknown_collection

__all__ = ["LiveCollection"]


class LiveCollection:
    """Follows its alias: a new version is used from the next question on.

    `len` is the number of pictures. A pickled collection is opened again by its name, from the same home or
    server; a key for the server comes from the environment there.
    """

    def __init__(self, name: str, store: Store, home: str | None = None) -> None:
        """Reads the live version.

        Args:
            home: where its writers hold their lock; None: the default home.

        Raises:
            SimileError: there is no collection of this name; the message names those that there are.
        """
        aliases = store.aliases()
        if name not in aliases:
            raise unknown_collection(name, searchable(store))
        self.name = name
        self._store = store
        self._home = home
        self._counts = Counts(store)
        self._current = self._read(aliases[name])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self._store, self._home)

    def __repr__(self) -> str:
        """One line, without asking the store."""
        manifest = self._current.manifest
        encoders = ", ".join(entry.name for entry in manifest.encoders)
        return printable(f"<Collection '{self.name}': {manifest.rows:,} pictures, {encoders}>")

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        """Always: what is open is no less a collection where it holds no pictures."""
        return True

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

    def refresh(self) -> None:
        """Read the live version and its counts anew: a server changes both in place."""
        self._counts = Counts(self._store)
        self._current = self._read(self._version().name)

    @property
    def version(self) -> str:
        """Name of the live version."""
        return self._version().name

    @property
    def live(self) -> tuple[Store, Version]:
        """The store, and the version that answers now: for what reads more than hits."""
        return self._store, self._version()

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
        return self._store.attachment(self._version().name, name) or None
