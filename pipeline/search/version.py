"""One build of a collection: what its manifest says, and what may be asked of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import SimileError
from pipeline.projection import Projection, check_fingerprints, stored_projection
from pipeline.store import Manifest

__all__ = ["Version"]


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
        encoders = self.facts["encoders"]
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
        for field in fields:
            if field not in self.filters:
                raise SimileError(
                    f"'{self.facts['collection']}' has no filter field '{field}'; "
                    f"it has: {', '.join(self.filters) or 'none'}."
                )
