"""Which points of an unfinished version would survive a crash: the embedded engine writes without a log."""

import os
import uuid
from collections.abc import Iterable
from pathlib import Path

__all__ = ["add_to_journal", "read_journal"]

_UUID_BYTES = 16


def add_to_journal(journal: Path, ids: Iterable[str]) -> None:
    """Enter points, once the engine has flushed them; durable when this returns."""
    with journal.open("ab") as file:
        file.write(b"".join(uuid.UUID(point).bytes for point in ids))
        file.flush()
        os.fsync(file.fileno())


def read_journal(journal: Path) -> set[str]:
    """Ids of the points that were entered. Others may be in the version in part."""
    data = journal.read_bytes() if journal.is_file() else b""
    whole = len(data) - len(data) % _UUID_BYTES  # the last entry may be cut off
    return {str(uuid.UUID(bytes=data[i : i + _UUID_BYTES])) for i in range(0, whole, _UUID_BYTES)}
