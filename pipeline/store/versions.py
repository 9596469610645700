"""Which versions of a collection there are, and which one is live."""

import re
from collections.abc import Iterable
from typing import Any

from pipeline.errors import NotFinishedError, SimileError
from pipeline.fields import FieldKind, Kind
from pipeline.printable import printable
from pipeline.store.manifest import Version
from pipeline.store.protocol import Store

__all__ = [
    "PROBE",
    "builds",
    "find_live",
    "finished_versions",
    "is_finished",
    "live_name",
    "live_version",
    "probes",
    "read_version",
    "searchable",
    "unknown_collection",
]

_BUILD = re.compile(r"__\d{8}T\d{12}$")  # how the name of a version that a job builds ends
PROBE = "__preflight-"  # between alias and host, in the name of a version that a job makes to try the store


def unknown_collection(name: str, there: Iterable[str]) -> SimileError:
    """The error for a collection that does not exist, with the names of those that do."""
    known = ", ".join(sorted(there)) or "none yet; index one with python -m ray_jobs.index"
    return SimileError(f"Collection '{printable(name, 100)}' does not exist; there are: {known}.")


def searchable(store: Store) -> dict[str, str]:
    """Alias -> live version of the collections that can be searched now.

    On a server that others use as well, their aliases are none of ours.
    """
    aliases = store.aliases()
    whole = store.finished(list(aliases.values()), patient=False)
    return {alias: version for alias, version in aliases.items() if version in whole}


def live_name(store: Store, alias: str) -> str:
    """Name of the live version of a collection.

    Raises:
        SimileError: there is no such collection; the message names those that there are.
    """
    aliases = store.aliases()
    if alias not in aliases:
        raise unknown_collection(alias, searchable(store))
    return aliases[alias]


def live_version(store: Store, alias: str) -> Version:
    """The live version of a collection.

    Raises:
        SimileError: as `live_name`; NotFinishedError: it has no manifest.
    """
    return read_version(store, live_name(store, alias))


def read_version(store: Store, name: str) -> Version:
    """A version with its manifest, which knows the kinds of its filters also where it is an older one.

    Versions from before kinds were recorded have text, whole numbers and booleans; the most frequent value
    tells which, and a field without any counts as text.

    Raises:
        NotFinishedError: it has no manifest.
    """
    manifest = store.read_manifest(name)
    unknown = [field for field in manifest.filters if field not in manifest.kinds]
    if not unknown:
        return Version(name, manifest)
    kinds = manifest.kinds | {field: _kind_of(store.facet(name, field, 1)) for field in unknown}
    return Version(name, manifest.model_copy(update={"kinds": kinds}))


def _kind_of(facet: list[tuple[Any, int]]) -> FieldKind:
    kinds: dict[type, Kind] = {bool: "boolean", int: "integer"}
    return FieldKind(kinds.get(type(facet[0][0]), "text") if facet else "text")


def find_live(store: Store, alias: str) -> Version | None:
    """The live version of a collection; None where there is none, or one without a manifest."""
    try:
        name = store.aliases().get(alias)
        return read_version(store, name) if name else None
    except NotFinishedError:
        return None


def is_finished(store: Store, version: str) -> bool:
    """Whether a version can be searched: its manifest is the last thing that is written."""
    return version in store.finished([version])


def builds(store: Store, alias: str) -> list[str]:
    """The versions that jobs have built of `alias`, or begun, oldest first.

    Others on the same server may have collections whose names begin as ours do; they are none of these.
    """
    return [version for version in store.versions(alias) if _BUILD.search(version)]


def probes(store: Store, alias: str) -> list[str]:
    """What jobs that were killed left behind of trying the store."""
    return [version for version in store.versions(alias) if version.startswith(alias + PROBE)]


def finished_versions(store: Store, alias: str) -> list[str]:
    """Versions that can be searched, oldest first."""
    versions = store.versions(alias)
    whole = store.finished(versions)
    return [version for version in versions if version in whole]
