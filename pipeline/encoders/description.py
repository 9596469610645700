"""What makes the vectors of an encoder comparable, known before its network is loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pipeline.images import PREPARATION, UNVERSIONED

__all__ = ["EncoderDescription"]


@dataclass(frozen=True)
class EncoderDescription:
    """Everything about an encoder but its weights. Vectors may be compared if the fingerprints are equal."""

    name: str  # as it was asked for
    family: str  # library and architecture: "timm:vgg16", "transformers:dinov2"
    dimension: int | None  # None: known only once it is loaded
    revision: str  # changes with the weights: Hub commit, or sha256 of the files
    preprocessing: dict[str, Any]  # as JSON holds it: size, crop, interpolation, mean, std
    embedding: str  # which vector of the network this is
    licence: str | None = None  # of the weights, where their card says so
    code_bits: int | None = None  # hash logits that follow the embedding in the raw output
    text: bool = False  # words can be embedded among the images

    @property
    def fingerprint(self) -> str:
        """16 hex digits. Where the files lie and how the name is written do not matter."""
        return self.fingerprint_under(PREPARATION)

    def fingerprint_under(self, preparation: int) -> str:
        """The same as it was, or would be, under another version of `images.PREPARATION`."""
        facts: list[Any] = [self.family, self.revision, self.preprocessing, self.embedding]
        if preparation > UNVERSIONED:
            facts.append(preparation)
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def is_prepared_differently(self, fingerprint: str) -> bool:
        """Whether this is the fingerprint of the same encoder under an older version of `PREPARATION`."""
        return fingerprint in map(self.fingerprint_under, range(UNVERSIONED, PREPARATION))
