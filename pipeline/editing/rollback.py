"""Going back to what was live before, and dropping versions that nobody reads."""

from typing import Any

from pipeline.editing.delete import deleted_ids
from pipeline.errors import SimileError
from pipeline.store import Store
from pipeline.store.history import make_live, previous_of
from pipeline.store.versions import builds, live_name, probes

__all__ = ["prune", "rollback"]


def rollback(store: Store, alias: str) -> dict[str, Any]:
    """Make live again what was live before, as it was: what was deleted since then is back, and counted.

    Raises:
        SimileError: there is no such collection, nothing was live before, or that version was dropped.
    """
    live = live_name(store, alias)
    version = previous_of(store, alias, live)
    if version is None:
        raise SimileError(f"'{alias}' has no earlier version to go back to.")
    back = len(deleted_ids(store, live) - deleted_ids(store, version))
    make_live(store, alias, version, "rolled back")
    return {"collection": alias, "version": version, "was": live, "deleted_and_back": back}


def prune(store: Store, alias: str) -> dict[str, Any]:
    """Drop every version but the live one.

    Raises:
        SimileError: there is no such collection.
    """
    live = live_name(store, alias)
    dropped = [version for version in builds(store, alias) if version != live] + probes(store, alias)
    for version in dropped:
        store.drop(version)
    return {"collection": alias, "version": live, "dropped": dropped}
