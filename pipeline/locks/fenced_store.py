"""A store that asks whether the job still holds its lock before it writes."""

from collections.abc import Callable
from typing import Any, cast

from pipeline.store import Store

__all__ = ["WRITES", "fenced"]

WRITES = frozenset(
    (
        "create",
        "add_indexes",
        "upsert",
        "copy",
        "delete",
        "set_graphs",
        "flush",
        "finish",
        "write_manifest",
        "attach",
        "switch",
        "drop",
    )
)


def fenced(store: Store, check: Callable[[], None]) -> Store:
    """The same store, whose every write is preceded by `check`.

    Args:
        store: of the job.
        check: raises `LockLostError` if another job has taken the collection over.
    """
    return cast(Store, _FencedStore(store, check))


class _FencedStore:
    def __init__(self, store: Store, check: Callable[[], None]) -> None:
        self._store, self._check = store, check

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in WRITES:
            return found

        def write(*arguments: Any, **named: Any) -> Any:
            self._check()
            return found(*arguments, **named)

        return write
