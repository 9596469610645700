"""What a version says of itself, as JSON that travels with its points; older schemas are read as well."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator

from pipeline.config import HnswConfig, MemoryConfig, ProjectionConfig, QuantizationConfig, SearchConfig
from pipeline.config.graph_and_search import Metric
from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.images.palette import COLOUR_VECTOR
from pipeline.projection import Projection, vectors_fingerprint
from pipeline.store.measured import Calibration, IndexCheck, ManifestPart

__all__ = [
    "EncoderEntry",
    "Manifest",
    "RowCounts",
    "Version",
    "read_manifest",
]

SCHEMA_VERSION = 2  # 1: JSON without the key

_SECTIONS: dict[str, type[BaseModel]] = {
    "search": SearchConfig,
    "projection": ProjectionConfig,
    "quantization": QuantizationConfig,
    "hnsw": HnswConfig,
    "memory": MemoryConfig,
}


class EncoderEntry(ManifestPart):
    """One encoder of a version: what made its vectors, and what they are called.

    Attributes:
        name: of the encoder, as the configuration has it.
        vector, code: names of the cosine vector and of the ±1 code in Qdrant.
        fingerprint: of network and preprocessing; queries must come from the same.
        family, revision, preprocessing, embedding, licence, text: see `EncoderDescription`.
        dimension: of the raw embedding.
        prepared_dimension, code_bits: components of a stored vector, and bits of a stored code.
        hash_bits: outputs after the embedding whose signs are the code; 0: the projection makes it.
        vectors_fingerprint: of network, preprocessing and projection; older manifests have none.
        measured, calibration: by the job's check; no calibration where there are fewer than two pictures.
    """

    name: str
    vector: str
    code: str = ""
    fingerprint: str = ""
    family: str = ""
    dimension: int | None = None
    revision: str = ""
    preprocessing: dict[str, Any] = Field(default_factory=dict)
    embedding: str = ""
    licence: str | None = None
    text: bool = False
    prepared_dimension: int | None = None
    code_bits: int | None = None
    hash_bits: int = 0
    vectors_fingerprint: str | None = None
    measured: IndexCheck | None = None
    calibration: Calibration | None = None

    def named_vector(self, metric: Metric) -> str:
        """The vector in Qdrant that a metric compares."""
        return self.code if metric == "hamming" else self.vector


class RowCounts(ManifestPart):
    """The account of the job that built the version: source = written + skipped + rejected."""

    source: int
    written: int
    skipped: int
    rejected: int
    rejects: dict[str, int] = Field(
        {}, description="kind -> rows; older manifests: the ten commonest reasons"
    )
    reject_examples: dict[str, str] = Field({}, description="kind -> place and reason of one such row")
    left_out: dict[str, int] = Field({}, description="reason -> files of the source that are no rows")


class Manifest(ManifestPart):
    """What a version says of itself.

    Attributes:
        collection, title: the alias, and its name for people.
        filters: payload fields that can be filtered.
        kinds: what each of them holds; manifests from before it have none, see `versions.read_version`.
        source, split, revision, licence, credit: of the first source; `added`: of further ones.
        settings, source_key: hashes that tell whether another job's points belong into this version.
        fitted_rows: staged vectors that the projections were fitted on.
        rows: points; `colours`: by which method they have colour vectors (`images.palette`), if any.
        built: ISO 8601, UTC.
        tensors: projection matrices and offsets, float32, named `<vector>.matrix`, `<vector>.offset`; not
            part of the JSON.
    """

    schema_version: int = SCHEMA_VERSION
    collection: str
    title: str = ""
    filters: tuple[str, ...] = ()
    kinds: dict[str, FieldKind] = Field(default_factory=dict)
    encoders: tuple[EncoderEntry, ...] = ()
    source: str = ""
    split: str = ""
    revision: str | None = None
    licence: str | None = None
    credit: str | None = None
    added: tuple[str, ...] = ()
    settings: str = ""
    source_key: str = ""
    search: SearchConfig = SearchConfig()
    projection: ProjectionConfig | None = None
    quantization: QuantizationConfig | None = None
    hnsw: HnswConfig = HnswConfig()
    memory: MemoryConfig = MemoryConfig()
    rows: int = 0
    colours: str | None = None
    fitted_rows: int = 0
    account: RowCounts | None = None
    built: str = ""
    tensors: dict[str, np.ndarray] = Field(default_factory=dict, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        """Settings of other versions of Simile are read as far as this one knows them."""
        if not isinstance(given, dict):
            return given
        if given.get("schema_version", 1) > SCHEMA_VERSION:
            raise ValueError(
                f"the manifest was written by a newer Simile (schema {given['schema_version']}, this one "
                f"reads up to {SCHEMA_VERSION}); update Simile"
            )
        known = {
            name: {key: value for key, value in given[name].items() if key in model.model_fields}
            for name, model in _SECTIONS.items()
            if isinstance(given.get(name), dict)
        }
        return {**given, **known, "schema_version": SCHEMA_VERSION}

    @property
    def labels(self) -> tuple[str, ...]:
        """The filters that say in one word what a picture is: no numbers, times or lists."""
        return tuple(f for f in self.filters if f not in self.kinds or self.kinds[f].is_label)

    def to_json(self) -> str:
        """Everything but the tensors."""
        return self.model_dump_json(by_alias=True, indent=1)

    @property
    def vector_names(self) -> list[str]:
        """All named vectors of a point: vectors and codes of each encoder, and its colours, if any."""
        named = [name for entry in self.encoders for name in (entry.vector, entry.code) if name]
        return [*named, COLOUR_VECTOR] if self.colours else named

    def encoder(self, wanted: str | None = None) -> EncoderEntry:
        """An encoder by its name; the first one where none is named.

        Raises:
            SimileError: there is none of this name.
        """
        for entry in self.encoders:
            if wanted in (None, "", entry.name):
                return entry
        raise SimileError(
            f"'{self.collection}' was not indexed with '{wanted}'; "
            f"it has: {', '.join(entry.name for entry in self.encoders)}."
        )

    def projection_of(self, entry: EncoderEntry) -> Projection:
        """Raw outputs of an encoder -> prepared vectors and codes."""
        return Projection.from_tensors(self.tensors, entry.vector, entry.hash_bits)


def read_manifest(version: str, text: str | bytes, tensors: Mapping[str, np.ndarray]) -> Manifest:
    """The inverse of `Manifest.to_json`, with the tensors that were kept beside it.

    Raises:
        SimileError: it is damaged, or a newer Simile wrote it.
    """
    try:
        return Manifest.model_validate_json(text).model_copy(update={"tensors": dict(tensors)})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "manifest"
        raise SimileError(
            f"The manifest of '{version}' cannot be read: {where}: {first['msg']}; index the collection "
            "again, or go back to the previous version (--rollback)."
        ) from None


@dataclass(frozen=True)
class Version:
    """One build of a collection, by name and with its manifest. A query uses one from beginning to end."""

    name: str
    manifest: Manifest

    def check_fingerprints(self) -> None:
        """Refuse projections that are not those that the points were written with.

        Raises:
            SimileError: naming both fingerprints.
        """
        for entry in self.manifest.encoders:
            written = entry.vectors_fingerprint
            found = vectors_fingerprint(entry.fingerprint, self.manifest.projection_of(entry))
            if written and written != found:
                raise SimileError(
                    f"Points of '{self.name}' were written with {entry.name} {written}, and the projection "
                    f"beside them is {found}, which cannot be compared with it; roll back, or index again."
                )

    def check_fields(self, fields: Iterable[str]) -> None:
        """Refuse what is not a filter field, by name.

        Raises:
            SimileError: naming the fields that there are.
        """
        name, there = self.manifest.collection, self.manifest.filters
        for field in fields:
            if field not in there:
                known = ", ".join(there) or "none"
                raise SimileError(f"'{name}' has no filter field '{field}'; it has: {known}.")
