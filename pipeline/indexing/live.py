"""The live version as a job sees it: is it of the same source and settings, and what does it lack."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.config import CollectionConfig
from pipeline.encoders import EncoderDescription
from pipeline.fields import FieldKind
from pipeline.projection import Projection
from pipeline.sources import Source
from pipeline.store import Manifest, Store
from pipeline.store.manifest import Version
from pipeline.store.versions import find_live

__all__ = [
    "Live",
    "live_of",
    "says_the_same",
    "settings_key",
    "source_key",
    "stored_projections",
]


@dataclass(frozen=True)
class Live:
    """What a job has to know of the live version of its collection. Resolved once a job.

    Attributes:
        version: None where the collection is new.
        same_source: its points are of this job's source, or the job adds to it.
        same_settings: it was built with this job's encoders, projection and quantization.
        older: an earlier version of Simile, which prepared pictures in another way, made its vectors.
    """

    version: Version | None
    same_source: bool
    same_settings: bool
    older: bool = False

    @property
    def name(self) -> str | None:
        """Of the version."""
        return self.version.name if self.version else None


def live_of(
    store: Store,
    config: CollectionConfig,
    encoders: Mapping[str, EncoderDescription],
    source: Source,
    add: bool = False,
) -> Live:
    """The live version of the collection that `config` describes.

    Args:
        store, config, encoders, source: of the job.
        add: the job adds to whatever source the version is of.
    """
    version = find_live(store, config.collection)
    if version is None:
        return Live(None, same_source=False, same_settings=False)
    manifest = version.manifest
    return Live(
        version,
        same_source=add or manifest.source_key == source_key(source, config),
        same_settings=manifest.settings == settings_key(config, encoders),
        older=any(
            entry.name in encoders and encoders[entry.name].is_prepared_differently(entry.fingerprint)
            for entry in manifest.encoders
        ),
    )


def settings_key(config: CollectionConfig, encoders: Mapping[str, EncoderDescription]) -> str:
    """Hash of all that makes points of two builds belong into one version."""
    about_rows = {"source", "sample", "split", "config", "title", "credit", "max_reject_fraction", "search"}
    # Keys that 0.1.0 did not have count where they say something, so that its collections stay as they are.
    later = {"lists", "memory", "thumbnail_files_above", "url_column"}
    later -= config.model_dump(exclude_defaults=True).keys()
    settings = config.model_dump(exclude=about_rows | later)
    fingerprints = [description.fingerprint for description in encoders.values()]
    return hashlib.sha256(json.dumps([settings, fingerprints], sort_keys=True).encode()).hexdigest()


def source_key(source: Source, config: CollectionConfig) -> str:
    """The address of the rows: another revision of the same source is the same address."""
    return json.dumps([source.name, config.config, source.split])


def stored_projections(
    manifest: Manifest, config: CollectionConfig, encoders: Mapping[str, EncoderDescription]
) -> dict[str, Projection]:
    """Encoder name -> the projection of a version, for encoders that are still the same."""
    if manifest.projection != config.projection:
        return {}
    least = config.stored_bits or 0
    most = max(config.projection.dimension, least)
    found = {}
    for entry in manifest.encoders:
        if entry.name in encoders and entry.fingerprint == encoders[entry.name].fingerprint:
            projection = manifest.projection_of(entry)
            # Another quantization may want more or fewer components of the same projection.
            if config.projection.kind == "none" or least <= projection.dimension <= most:
                found[entry.name] = projection
    return found


def says_the_same(manifest: Manifest, config: CollectionConfig, kinds: Mapping[str, FieldKind]) -> bool:
    """Whether what a version tells its readers without touching a point is what a job would write.

    Args:
        manifest: of the version.
        config: of the job.
        kinds: field -> what it holds, of the filters that the job would leave behind.
    """
    told = (manifest.search, manifest.title, manifest.kinds)
    return told == (config.search, config.title or config.collection, kinds)
