"""Take points out of a collection for good, and remember that they were taken out on purpose."""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any

from pipeline.editing.tags import carry_tags
from pipeline.errors import SimileError
from pipeline.points import checked_id
from pipeline.store import Store
from pipeline.store.builds import drop_unfinished, new_version
from pipeline.store.filters import matching
from pipeline.store.history import make_live
from pipeline.store.manifest import Version
from pipeline.store.unit_record import forget_record, read_record, write_record
from pipeline.store.versions import live_version

__all__ = [
    "DELETED",
    "carry_edits",
    "chosen_points",
    "delete_points",
    "deleted_ids",
    "restore_points",
    "take_out",
]

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
    chosen = chosen_points(store, live, ids, filters)
    if not chosen:
        raise SimileError(f"Nothing in '{alias}' matches; nothing was deleted.")
    target, rows = take_out(store, alias, live, chosen, lambda copy: store.copy(live.name, copy))
    return {"collection": alias, "version": target, "deleted": len(chosen), "rows": rows}


def chosen_points(
    store: Store, live: Version, ids: Sequence[str], filters: Mapping[str, Any] | None
) -> set[str]:
    """Ids of the points of a version that are named, or that every filter admits."""
    named = [checked_id(text) for text in ids]
    there = store.retrieve(live.name, named, fields=[]) if named else []
    return {str(record.id) for record in there} | (matching(store, live, filters) if filters else set())


def take_out(
    store: Store, alias: str, live: Version, chosen: Set[str], copy: Callable[[str], None]
) -> tuple[str, int]:
    """Delete points of the live version, by way of a new version where that cannot be done in place.

    Args:
        chosen: ids of points of the version.
        copy: makes an unfinished version of this name, which may lack the chosen points already.

    Returns:
        The version that is live then, and how many points it has.
    """
    target = version = live.name
    before = store.count(version)
    if not store.in_place:
        drop_unfinished(store, alias, except_for=None)
        target = new_version(alias)
        copy(target)
    # First what shall stay away: if this is cut short, no index job brings back what is already gone.
    carry_edits(store, version, target, chosen)
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
    return target, rows


def restore_points(store: Store, alias: str, erased: Set[str] = frozenset()) -> dict[str, Any]:
    """Forget which points were deleted; the next index job brings back those that its source still has.

    Args:
        erased: ids of pictures that stay away, as nothing is left of them.
    """
    version = live_version(store, alias).name
    deleted = deleted_ids(store, version)
    store.attach(version, DELETED, json.dumps(sorted(deleted & erased)).encode())
    forget_record(store, version)
    return {"collection": alias, "version": version, "restored": len(deleted - erased)}


def carry_edits(store: Store, version: str | None, target: str, deleted: Set[str] = frozenset()) -> None:
    """Keep what people did to a version with the one that takes its place: deletions and tags.

    Args:
        version: the live one; None: there is none.
        deleted: ids that are deleted now.
    """
    store.attach(target, DELETED, json.dumps(sorted(deleted_ids(store, version) | deleted)).encode())
    carry_tags(store, version, target)


def deleted_ids(store: Store, version: str | None) -> set[str]:
    """Points that were deleted on purpose, and stay away until they are restored."""
    data = store.attachment(version, DELETED) if version else None
    return set(json.loads(data)) if data else set()
