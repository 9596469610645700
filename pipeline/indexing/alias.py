"""Take points out of a collection for good, and remember that they were taken out on purpose."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import NotFinishedError, SimileError
from pipeline.indexing.versions import drop_unfinished, new_version
from pipeline.store import Manifest, Store
from pipeline.store.filters import matching
from pipeline.store.read_points import is_finished

__all__ = [
    "DELETED",
    "delete_points",
    "deleted_ids",
    "finished_versions",
    "live_manifest",
    "prune",
    "restore_points",
    "rollback",
]


def delete_points(
    store: Store, alias: str, ids: Sequence[str] = (), filters: Mapping[str, Sequence[Any]] | None = None
) -> dict[str, Any]:
    """Delete points by id or by payload; index jobs leave them out until they are restored.

    The embedded store gets a new version and readers never see half of it; a server deletes in place.

    Args:
        store: where the collection is.
        alias: the collection.
        ids: of points.
        filters: field -> values; fields are ANDed, as in a search.

    Raises:
        SimileError: no such collection or field, an id that is none, or nothing that matches.
    """
    version, manifest = _live(store, alias)
    ids = [_point(text) for text in ids]
    chosen = set(ids) & {str(record.id) for record in store.retrieve(version, list(ids))} if ids else set()
    if filters:
        chosen |= matching(store, version, manifest, filters)
    if not chosen:
        raise SimileError(f"Nothing in '{alias}' matches; nothing was deleted.")
    target = version
    if not store.in_place:
        drop_unfinished(store, alias, except_for=None)
        target = new_version(alias)
        store.copy(version, target)
    before = store.count(target)
    # First what shall stay away: if this is cut short, no index job brings back what is already gone.
    store.attach(target, DELETED, json.dumps(sorted(deleted_ids(store, version) | chosen)).encode())
    store.delete(target, sorted(chosen))
    store.finish(target)
    rows = store.count(target)
    if rows != before - len(chosen):
        raise SimileError(f"'{alias}' counts {rows:,} points after the deletion; the alias stays. Try again.")
    store.write_manifest(target, Manifest(manifest.facts | {"rows": rows}, manifest.tensors))
    store.switch(alias, target)
    return {"collection": alias, "version": target, "deleted": len(chosen), "rows": rows}


def restore_points(store: Store, alias: str) -> dict[str, Any]:
    """Forget which points were deleted; the next index job brings back those that its source still has."""
    version, _ = _live(store, alias)
    restored = len(deleted_ids(store, version))
    store.attach(version, DELETED, b"[]")
    return {"collection": alias, "version": version, "restored": restored}


def _point(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise SimileError(f"'{text}' is no id of a point; they look like {uuid.UUID(int=0)}.") from None


def _live(store: Store, alias: str) -> tuple[str, Manifest]:
    live = live_manifest(store, alias)
    if live is None:
        known = ", ".join(sorted(store.aliases())) or "none yet"
        raise SimileError(f"Collection '{alias}' does not exist; there are: {known}.")
    return live


DELETED = "deleted.json"  # attachment of a version: ids that were deleted on purpose


def live_manifest(store: Store, alias: str) -> tuple[str, Manifest] | None:
    """The live version and its manifest; None where there is none, or an unreadable one."""
    version = store.aliases().get(alias)
    if version is None:
        return None
    try:
        return version, store.read_manifest(version)
    except NotFinishedError:
        return None


def deleted_ids(store: Store, version: str | None) -> set[str]:
    """Points that were deleted on purpose, and stay away until they are restored."""
    data = store.attachment(version, DELETED) if version else None
    return set(json.loads(data)) if data else set()


def finished_versions(store: Store, alias: str) -> list[str]:
    """Versions that can be searched, oldest first."""
    return [version for version in store.versions(alias) if is_finished(store, version)]


def rollback(store: Store, alias: str) -> dict[str, Any]:
    """Make the version before the live one live, as it was: what was deleted since then is back, and counted.

    Raises:
        SimileError: there is none.
    """
    live = store.aliases().get(alias)
    earlier = [version for version in finished_versions(store, alias) if live and version < live]
    if not earlier:
        raise SimileError(f"'{alias}' has no earlier version to go back to.")
    version = earlier[-1]
    back = len(deleted_ids(store, live) - deleted_ids(store, version))
    store.switch(alias, version)
    return {"collection": alias, "version": version, "was": live, "deleted_and_back": back}


def prune(store: Store, alias: str) -> dict[str, Any]:
    """Drop every version but the live one.

    Raises:
        SimileError: there is no such collection.
    """
    live = store.aliases().get(alias)
    if live is None:
        raise SimileError(f"Collection '{alias}' does not exist; there is nothing to prune.")
    dropped = [version for version in store.versions(alias) if version != live]
    for version in dropped:
        store.drop(version)
    return {"collection": alias, "version": live, "dropped": dropped}
