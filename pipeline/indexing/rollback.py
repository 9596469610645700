"""Going back to an earlier version, and dropping versions that nobody reads."""

from typing import Any

from pipeline.errors import SimileError
from pipeline.indexing.delete import deleted_ids
from pipeline.store import Store
from pipeline.store.versions import builds, finished_versions, live_name, probes

__all__ = ["prune", "rollback"]


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
    live = live_name(store, alias)
    dropped = [version for version in builds(store, alias) if version != live] + probes(store, alias)
    for version in dropped:
        store.drop(version)
    return {"collection": alias, "version": live, "dropped": dropped}
