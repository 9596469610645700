"""Take points out of a collection for good, and remember that they were taken out on purpose."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import SimileError
from pipeline.indexing.history import make_live
from pipeline.indexing.record import forget_record, read_record, write_record
from pipeline.indexing.versions import drop_unfinished, new_version
from pipeline.points import checked_id
from pipeline.store import Store
from pipeline.store.filters import matching
from pipeline.store.versions import live_version

__all__ = ["DELETED", "delete_points", "deleted_ids", "restore_points"]

DELETED = "deleted.json"  # attachment of a version: ids that were deleted on purpose


def delete_points(
    store: Store, alias: str, ids: Sequence[str] = (), filters: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Delete points by id or by payload; index jobs leave them out until they are restored.

    The embedded store gets a new version and readers never see half of it; a server deletes in place.

    Args:
        store: where the collection is.
        alias: the collection.
        ids: of points.
        filters: field -> what is wanted, as in a search; fields are ANDed.

    Raises:
        SimileError: no such collection or field, a value that does not fit its field, an id that is none, or
            nothing that matches.
    """
    live = live_version(store, alias)
    version = live.name
    ids = [checked_id(text) for text in ids]
    chosen = set(ids) & {str(record.id) for record in store.retrieve(version, list(ids))} if ids else set()
    if filters:
        chosen |= matching(store, live, filters)
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
    changes: dict[str, Any] = {"rows": rows}
    if target != version:
        changes["built"] = datetime.now(UTC).isoformat(timespec="seconds")
    store.write_manifest(target, live.manifest.model_copy(update=changes))
    record = read_record(store, version)
    if record and target != version:  # made of the same units, without what was deleted
        write_record(store, target, record)
    make_live(store, alias, target, "deleted")
    return {"collection": alias, "version": target, "deleted": len(chosen), "rows": rows}


def restore_points(store: Store, alias: str) -> dict[str, Any]:
    """Forget which points were deleted; the next index job brings back those that its source still has."""
    version = live_version(store, alias).name
    restored = len(deleted_ids(store, version))
    store.attach(version, DELETED, b"[]")
    forget_record(store, version)
    return {"collection": alias, "version": version, "restored": restored}


def deleted_ids(store: Store, version: str | None) -> set[str]:
    """Points that were deleted on purpose, and stay away until they are restored."""
    data = store.attachment(version, DELETED) if version else None
    return set(json.loads(data)) if data else set()
