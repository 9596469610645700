"""Take points out of a collection for good, and remember that they were taken out on purpose."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.indexing.versions import DELETED, deleted_ids, drop_unfinished, live_manifest, new_version
from pipeline.store import Manifest, Store
from pipeline.store.protocol import all_points

__all__ = ["delete_points", "restore_points"]


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
        chosen |= _matching(store, version, manifest, filters)
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


def _matching(
    store: Store, version: str, manifest: Manifest, filters: Mapping[str, Sequence[Any]]
) -> set[str]:
    unknown = sorted(set(filters) - set(manifest.facts["filters"]))
    if unknown:
        there = ", ".join(manifest.facts["filters"]) or "none"
        raise SimileError(f"There is no filter field {', '.join(unknown)}; there are: {there}.")
    must: list[Any] = [
        models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))
        for field, values in filters.items()
    ]
    return {str(point.id) for point in all_points(store, version, [], models.Filter(must=must))}
