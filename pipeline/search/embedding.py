"""Pictures -> prepared vectors, with the network and the projection that a version was made with."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.encoders import Encoder, load_encoder
from pipeline.errors import SimileError
from pipeline.images import THUMBNAIL_SIDE, decode
from pipeline.search.version import Version

__all__ = ["Picture", "encoder_of", "prepare"]

Picture = Image.Image | bytes | str | Path


def encoder_of(version: Version, facts: dict[str, Any]) -> Encoder:
    """The network of a version's encoder.

    Raises:
        SimileError: its weights or preprocessing are not those that the version was made with.
    """
    encoder = _loaded_encoder(facts["name"])
    if encoder.fingerprint != facts["fingerprint"]:
        name = version.facts["collection"]
        raise SimileError(
            f"'{name}' was indexed with {facts['name']} {facts['fingerprint']} and here that is "
            f"{encoder.fingerprint}; index it again, or bring back the weights it was made with."
        )
    return encoder


def prepare(version: Version, facts: dict[str, Any], images: Sequence[Picture]) -> np.ndarray:
    """(N, D) float32, not normalised."""
    network = encoder_of(version, facts)
    raw = network.encode([opened(image, network.decode_side) for image in images])
    return version.projection(facts["vector"]).apply(raw)


def opened(image: Picture, side: int) -> Image.Image:
    """Huge JPEGs are decoded at a reduced scale, as the index job does."""
    side = max(THUMBNAIL_SIDE, side)
    if isinstance(image, Image.Image):
        return image
    if isinstance(image, bytes):
        return decode(image, min_side=side)
    try:
        return decode(Path(image).read_bytes(), min_side=side)
    except OSError as error:
        raise SimileError(f"'{image}' cannot be read: {error.strerror}.") from error


@lru_cache(maxsize=4)
def _loaded_encoder(name: str) -> Encoder:
    """Collections that share an encoder share its network."""
    return load_encoder(name)
