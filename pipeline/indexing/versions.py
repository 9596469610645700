"""Which version a job writes to, what it still lacks, and going back to an earlier one."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.config import CollectionConfig
from pipeline.encoders import EncoderDescription
from pipeline.points import RESERVED
from pipeline.projection import Projection, vectors_fingerprint
from pipeline.sources import Source
from pipeline.store import Manifest, Store
from pipeline.store.manifest import stored_projection
from pipeline.store.read_points import all_points, builds, is_finished

__all__ = [
    "Difference",
    "build_key",
    "compare",
    "drop_unfinished",
    "find_unfinished",
    "mark_unfinished",
    "new_version",
    "settings_key",
    "source_key",
    "stored_marks",
    "stored_projections",
]

_BUILD = "build.json"  # attachment of an unfinished version: the key of what it shall hold


@dataclass(frozen=True)
class Difference:
    """What separates a version from what it should hold; sets of ids."""

    new: set[str]
    changed: set[str]
    gone: set[str]


def compare(present: Mapping[str, str], wanted: Mapping[str, str]) -> Difference:
    """Compare id -> mark of a version with id -> mark of the source.

    >>> compare({"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"})
    Difference(new={'d'}, changed={'b'}, gone={'a'})
    """
    changed = {point for point, mark in wanted.items() if point in present and present[point] != mark}
    return Difference(wanted.keys() - present.keys(), changed, present.keys() - wanted.keys())


def settings_key(config: CollectionConfig, encoders: Mapping[str, EncoderDescription]) -> str:
    """Hash of all that makes points of two builds belong into one version."""
    about_rows = {"source", "sample", "split", "config", "title", "credit", "max_reject_fraction", "search"}
    settings = config.model_dump(exclude=about_rows)
    fingerprints = [description.fingerprint for description in encoders.values()]
    return hashlib.sha256(json.dumps([settings, fingerprints], sort_keys=True).encode()).hexdigest()


def source_key(source: Source, config: CollectionConfig) -> str:
    """The address of the rows: another revision of the same source is the same address."""
    return json.dumps([source.name, config.config, source.split])


def stored_projections(
    manifest: Manifest, config: CollectionConfig, encoders: Mapping[str, EncoderDescription]
) -> dict[str, Projection]:
    """Encoder name -> the projection of a version, for encoders that are still the same."""
    facts = manifest.facts
    if facts.get("projection") != config.projection.model_dump():
        return {}
    return {
        entry["name"]: stored_projection(manifest.tensors, entry)
        for entry in facts["encoders"]
        if entry["name"] in encoders and entry["fingerprint"] == encoders[entry["name"]].fingerprint
    }


def stored_marks(store: Store, version: str) -> dict[str, str]:
    """Id -> mark of every point of a version."""
    points = all_points(store, version, fields=[f"{RESERVED}.mark"])
    return {str(point.id): ((point.payload or {}).get(RESERVED) or {}).get("mark", "") for point in points}


def new_version(alias: str) -> str:
    """A name that sorts by time."""
    return f"{alias}__{datetime.now(UTC):%Y%m%dT%H%M%S%f}"


def build_key(settings: str, marks: Mapping[str, str], projections: Mapping[str, Projection]) -> str:
    """Hash of what a version shall hold, to know it again after a crash."""
    hasher = hashlib.sha256(settings.encode())
    for point in sorted(marks):
        hasher.update(f"{point}{marks[point]}\n".encode())
    for name in sorted(projections):
        hasher.update(vectors_fingerprint(name, projections[name]).encode())
    return hasher.hexdigest()


def mark_unfinished(store: Store, version: str, key: str) -> None:
    """Leave the key with a version whose build begins."""
    store.attach(version, _BUILD, key.encode())


def find_unfinished(store: Store, alias: str, key: str) -> str | None:
    """A version that an earlier run of the same job left unfinished."""
    for version in reversed(store.versions(alias)):
        if not is_finished(store, version) and store.attachment(version, _BUILD) == key.encode():
            return version
    return None


def drop_unfinished(store: Store, alias: str, except_for: str | None) -> None:
    """Remove what crashed jobs left behind. Only for the one who holds the writer's lock."""
    spared = {except_for, store.aliases().get(alias)}
    for version in builds(store, alias):
        if version not in spared and not is_finished(store, version):
            store.drop(version)
