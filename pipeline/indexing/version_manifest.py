"""What a job writes into the manifest of a version."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np

from pipeline.encoders import EncoderDescription
from pipeline.fields import FieldKind
from pipeline.indexing.account import Account
from pipeline.indexing.live import Live, settings_key, source_key
from pipeline.indexing.preflight import Checked, IndexJob
from pipeline.indexing.unit_points import Target
from pipeline.projection import vectors_fingerprint
from pipeline.store import Manifest
from pipeline.store.manifest import EncoderEntry, RowCounts

__all__ = ["manifest_of"]


def manifest_of(
    job: IndexJob,
    checked: Checked,
    live: Live,
    targets: Sequence[Target],
    fitted: Mapping[str, int],
    others: bool,
    rows: int,
    account: Account,
    kinds: dict[str, FieldKind],
    colours: str | None,
) -> Manifest:
    """What the version says of itself, before it is checked.

    Args:
        others: it holds more than the rows of the source.
    """
    config, source = job.config, checked.source
    before = live.version.manifest if live.version else None
    about_source = {
        "source_key": source_key(source, config),
        "source": source.name,
        "split": source.split,
        "revision": source.revision,
        "licence": source.licence,
        "credit": config.credit or source.credit,
    }
    added = before.added if before and (job.add or others) else ()
    if job.add and before:  # the collection stays that of its first source
        about_source = before.model_dump(include=set(about_source))
        added = (*added, source.name)
    tensors: dict[str, np.ndarray] = {}
    for target in targets:
        tensors |= target.projection.tensors(target.vector)
    return Manifest(
        collection=config.collection,
        title=config.title or config.collection,
        settings=settings_key(config, checked.encoders),
        **about_source,
        added=added,
        filters=tuple(kinds),
        kinds=kinds,
        encoders=tuple(map(_entry, checked.encoders.values(), targets)),
        search=config.search,
        projection=config.projection,
        quantization=config.quantization,
        hnsw=config.hnsw,
        memory=config.memory,
        rows=rows,
        colours=colours,
        fitted_rows=max(fitted.values()) or (before.fitted_rows if before else 0),
        account=RowCounts(
            source=account.source,
            written=account.written,
            skipped=account.skipped,
            rejected=account.rejected,
            rejects=account.reasons(),
            reject_examples={
                kind: "{place}: {reason}".format(**shown[0]) for kind, shown in account.examples().items()
            },
            left_out=account.left_out,
        ),
        built=datetime.now(UTC).isoformat(timespec="seconds"),
        tensors=tensors,
    )


def _entry(description: EncoderDescription, target: Target) -> EncoderEntry:
    projection = target.projection
    return EncoderEntry(
        **asdict(replace(description, code_bits=projection.bits)),
        vector=target.vector,
        code=target.code,
        fingerprint=description.fingerprint,
        prepared_dimension=projection.dimension,
        hash_bits=projection.hash_bits,
        vectors_fingerprint=vectors_fingerprint(description.fingerprint, projection),
    )
