"""What a store is told to make another version like one that it has."""

from pydantic import ValidationError

from pipeline.config import CollectionConfig, EncoderConfig, QuantizationConfig
from pipeline.errors import SimileError
from pipeline.store.manifest import Manifest

__all__ = ["config_of"]


def config_of(
    manifest: Manifest, alias: str, shard_number: int = 1, replication_factor: int = 1
) -> CollectionConfig:
    """What a store has to know to make a version like that of `manifest`.

    Args:
        alias: the collection that it is for.
        shard_number, replication_factor: of the version on a server.

    Raises:
        SimileError: the manifest is of settings that this Simile does not know.
    """
    try:
        return CollectionConfig(
            collection=alias,
            source=manifest.source,
            encoders=[EncoderConfig(name=entry.name, vector=entry.vector) for entry in manifest.encoders],
            quantization=manifest.quantization or QuantizationConfig(),
            hnsw=manifest.hnsw,
            memory=manifest.memory,
            shard_number=shard_number,
            replication_factor=replication_factor,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SimileError(f"A version of '{alias}' cannot be made: {where}: {first['msg']}.") from None
