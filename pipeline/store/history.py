"""Which version of a collection was live before which, and why each became live.

Each version keeps a record of how it became live, as an attachment. Versions of Simile 0.1.0 have none: for
these, the version before is the next older one.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from pipeline.errors import SimileError
from pipeline.store import Store
from pipeline.store.versions import finished_versions, live_name

__all__ = ["RECORD", "Reason", "VersionLine", "list_versions", "make_live", "previous_of", "table_of"]

RECORD = "live.json"  # attachment of a version
Reason = Literal["indexed", "added", "deleted", "tagged", "rolled back"]


@dataclass(frozen=True)
class _Record:
    """How a version became live; `previous` is the version before it, `at` ISO 8601, UTC."""

    previous: str | None
    why: str
    at: str


@dataclass(frozen=True)
class VersionLine:
    """One version, for people.

    Attributes:
        version: its name.
        state: `live`; `previous`, where a rollback goes to; or empty.
        built: ISO 8601, UTC.
        rows: points.
        why: it became live; empty where an older Simile built it.
        became_live: ISO 8601, UTC; empty as `why`.
    """

    version: str
    state: Literal["live", "previous", ""]
    built: str
    rows: int
    why: str
    became_live: str


def make_live(store: Store, alias: str, version: str, why: Reason) -> None:
    """Switch the alias to a version, and record what was live before it.

    A version that is live already (a server takes changes in place) keeps what was live before, and so does
    one that is gone back to: a second rollback goes further back.
    """
    live, known = store.aliases().get(alias), _read(store, version)
    stays = live == version or why == "rolled back"
    previous = (previous_of(store, alias, version) if known is None else known.previous) if stays else live
    record = _Record(previous, why, datetime.now(UTC).isoformat(timespec="seconds"))
    store.attach(version, RECORD, json.dumps(asdict(record)).encode())
    store.switch(alias, version)


def previous_of(store: Store, alias: str, version: str) -> str | None:
    """The version that was live before `version`; None where there was none, or it was dropped."""
    finished, record = finished_versions(store, alias), _read(store, version)
    if record:
        return record.previous if record.previous in finished else None
    older = [name for name in finished if name < version]
    return older[-1] if older else None


def list_versions(store: Store, alias: str) -> list[VersionLine]:
    """All finished versions, the newest first.

    Raises:
        SimileError: there is no such collection.
    """
    live = live_name(store, alias)
    previous = previous_of(store, alias, live)
    lines = []
    for name in reversed(finished_versions(store, alias)):
        manifest, record = store.read_manifest(name), _read(store, name)
        line = VersionLine(
            name,
            "live" if name == live else "",
            manifest.built,
            manifest.rows,
            record.why if record else "",
            record.at if record else "",
        )
        lines.append(replace(line, state="previous") if name == previous else line)
    return lines


def table_of(lines: list[VersionLine]) -> str:
    """The same as text."""
    width = max((len(line.version) for line in lines), default=0)
    head = f"{'':<9}{'version':<{width}}  {'built':<26}{'rows':>10}  why"
    return "\n".join(
        [head]
        + [
            f"{line.state:<9}{line.version:<{width}}  {line.built:<26}{line.rows:>10,}  {line.why or '-'}"
            for line in lines
        ]
    )


def _read(store: Store, version: str) -> _Record | None:
    data = store.attachment(version, RECORD)
    if data is None:
        return None
    try:
        return _Record(**json.loads(data))
    except (ValueError, TypeError):
        raise SimileError(
            f"The record of how '{version}' became live ({RECORD}) cannot be read; index the "
            "collection again."
        ) from None
