"""The version that a job builds: its name, and how it is found again after a crash."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from pipeline.projection import Projection, vectors_fingerprint
from pipeline.store import Store
from pipeline.store.versions import builds, is_finished

__all__ = [
    "BUILD",
    "being_changed",
    "build_key",
    "drop_unfinished",
    "find_unfinished",
    "mark_changed",
    "mark_unfinished",
    "new_version",
]

BUILD = "build.json"  # attachment of an unfinished version: the key of what it shall hold
_CHANGE = "change.txt"  # attachment of a finished one that is changed in place: the key of the change


def new_version(alias: str) -> str:
    """A name that sorts by time."""
    return f"{alias}__{datetime.now(UTC):%Y%m%dT%H%M%S%f}"


def build_key(settings: str, facts: Iterable[bytes], projections: Mapping[str, Projection]) -> str:
    """Hash of what a version shall hold, to know it again after a crash.

    Args:
        facts: of each unit, what it is called and which of its rows count.
    """
    hasher = hashlib.sha256(settings.encode())
    for fact in facts:
        hasher.update(hashlib.sha256(fact).digest())
    for name in sorted(projections):
        hasher.update(vectors_fingerprint(name, projections[name]).encode())
    return hasher.hexdigest()


def mark_unfinished(store: Store, version: str, key: str) -> None:
    """Leave the key with a version whose build begins."""
    store.attach(version, BUILD, key.encode())


def mark_changed(store: Store, version: str, key: str) -> None:
    """Leave the key of a change with a version that takes it in place; an empty key when it is done."""
    store.attach(version, _CHANGE, key.encode())


def being_changed(store: Store, version: str) -> str:
    """The key of a change that was begun and not finished, so that the record does not say all; else ""."""
    return (store.attachment(version, _CHANGE) or b"").decode()


def find_unfinished(store: Store, alias: str, key: str) -> str | None:
    """A version that an earlier run of the same job left unfinished."""
    for version in reversed(store.versions(alias)):
        if not is_finished(store, version) and store.attachment(version, BUILD) == key.encode():
            return version
    return None


def drop_unfinished(store: Store, alias: str, except_for: str | None) -> None:
    """Remove what crashed jobs left behind. Only for the one who holds the writer's lock."""
    spared = {except_for, store.aliases().get(alias)}
    for version in builds(store, alias):
        if version not in spared and not is_finished(store, version):
            store.drop(version)
