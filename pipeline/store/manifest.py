"""One build of a collection: what its manifest says, and what may be asked of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.errors import SimileError
from pipeline.projection import Projection, vectors_fingerprint

__all__ = ["Manifest", "Version", "check_fingerprints", "stored_projection"]


@dataclass(frozen=True)
class Manifest:
    """What a version says of itself; it travels with the points.

    Attributes:
        facts: JSON-able: collection, encoders with fingerprints, source and revision, counts, recall.
        tensors: projection matrices and offsets, float32, named `<vector>.matrix`, `<vector>.offset`.
    """

    facts: dict[str, Any]
    tensors: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """A query uses one from beginning to end."""

    name: str
    manifest: Manifest

    @property
    def facts(self) -> dict[str, Any]:
        """The manifest's JSON."""
        return self.manifest.facts

    @property
    def filters(self) -> list[str]:
        """Payload fields that can be filtered and counted."""
        return list(self.facts["filters"])

    def encoder(self, wanted: str | None) -> dict[str, Any]:
        """What the manifest says of an encoder; the first one where none is named."""
        encoders: list[dict[str, Any]] = self.facts["encoders"]
        for facts in encoders:
            if wanted in (None, "", facts["name"]):
                return facts
        raise SimileError(
            f"'{self.facts['collection']}' was not indexed with '{wanted}'; "
            f"it has: {', '.join(e['name'] for e in encoders)}."
        )

    def projection(self, encoder: Mapping[str, Any]) -> Projection:
        """Raw outputs of an encoder -> prepared vectors and codes of this version."""
        return stored_projection(self.manifest.tensors, encoder)

    def check(self) -> None:
        """Refuses projections that are not those that the points were written with.

        Raises:
            SimileError: naming both fingerprints.
        """
        check_fingerprints(self.name, self.facts["encoders"], self.manifest.tensors)

    def check_fields(self, fields: Iterable[str]) -> None:
        """Refuses what is not a filter field, by name."""
        for name in fields:
            if name not in self.filters:
                raise SimileError(
                    f"'{self.facts['collection']}' has no filter field '{name}'; "
                    f"it has: {', '.join(self.filters) or 'none'}."
                )


def stored_projection(tensors: Mapping[str, np.ndarray], encoder: Mapping[str, Any]) -> Projection:
    """The projection of one encoder of a manifest, the inverse of `Projection.tensors`."""
    vector = encoder["vector"]
    return Projection(
        tensors[f"{vector}.matrix"],
        tensors[f"{vector}.offset"],
        tensors.get(f"{vector}.code_matrix"),
        tensors.get(f"{vector}.code_offset"),
        encoder.get("hash_bits", 0),
    )


def check_fingerprints(
    version: str, encoders: Sequence[Mapping[str, Any]], tensors: Mapping[str, np.ndarray]
) -> None:
    """Refuses projections that are not those that the points of a version were written with.

    Raises:
        SimileError: naming both fingerprints.
    """
    for entry in encoders:
        written = entry.get("vectors_fingerprint")  # older manifests have none
        found = vectors_fingerprint(entry["fingerprint"], stored_projection(tensors, entry))
        if written and written != found:
            raise SimileError(
                f"Points of '{version}' were written with {entry['name']} {written}, and the projection "
                f"beside them is {found}, which cannot be compared with it; roll back, or index again."
            )
