"""All that can be measured of one source, as Markdown tables: ray_jobs/evaluate.py --everything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config import ProjectionConfig
from pipeline.encoders import describe_encoder, load_encoder
from pipeline.evaluation.closeness import measure_closeness
from pipeline.evaluation.instances import measure_instances
from pipeline.evaluation.markdown import (
    closeness_table,
    instance_table,
    matches_table,
    protocol_tables,
    recommendation_table,
    words_table,
)
from pipeline.evaluation.methods import fit_on, prepare
from pipeline.evaluation.pool import Pool, Vectors
from pipeline.evaluation.protocols import PROTOCOLS, Protocol, protocols_of, sampled
from pipeline.evaluation.run import labelled, measure_pool
from pipeline.evaluation.words import measure_words
from pipeline.progress import say
from pipeline.projection import Projection
from pipeline.sources import Source, image_bytes, read_unit, units_of

__all__ = ["everything_about"]

_INSTANCES = 300  # pictures that are altered
_CLOSENESS_QUERIES = 1000


@dataclass(frozen=True)
class _Prepared:
    """One encoder's vectors of the pool, prepared by what the protocol's training pictures say."""

    vectors: Vectors
    projection: Projection


def everything_about(
    name: str,
    splits: Sequence[Source],
    pool: Pool,
    encoders: Sequence[str],
    projection: ProjectionConfig,
    baseline: str | None,
) -> Iterator[str]:
    """Lines of Markdown: protocols, the same picture altered, closeness words, words.

    Args:
        name: of the collection.
        splits: the source, read once more for the pictures that are altered.
        pool: of these splits, with the raw outputs of `encoders`.
        projection: how prepared vectors are made; the collection's.
        baseline: one of the encoders, which saw nothing of this source.

    Raises:
        SimileError: no protocol is possible.
    """
    labels = labelled({field: each.values for field, each in pool.labels.items()})
    protocol = _held_out(pool)
    results = measure_pool(pool, encoders, PROTOCOLS, projection=projection, baseline=baseline)
    yield f"### {name}: {pool.size:,} pictures"
    yield from protocol_tables(results)
    held_out = [result for result in results if result["protocol"] == protocol.name] or results
    yield from matches_table(held_out)
    yield from recommendation_table(held_out)
    prepared = {encoder: _prepare(pool, encoder, protocol, projection) for encoder in encoders}
    say("altered pictures")
    places = _first_by_digest(pool, protocol.queries, _INSTANCES)
    pictures = _pictures(splits, [pool.digests[at] for at in places])
    database, at = _different(pool)
    yield from instance_table(
        {
            encoder: list(
                measure_instances(
                    load_encoder(encoder),
                    each.projection,
                    [pictures[pool.digests[place]] for place in places],
                    at[places],
                    each.vectors.prepared[database],
                )
            )
            for encoder, each in prepared.items()
        },
        len(database),
    )
    say("closeness words")
    asked = _first_by_digest(pool, protocol.queries, _CLOSENESS_QUERIES)
    some = replace(protocol, queries=asked)
    yield from closeness_table(
        {encoder: list(measure_closeness(each.vectors, some, labels)) for encoder, each in prepared.items()},
        f"{len(some.queries):,} queries in {len(some.database):,} pictures",
    )
    words = {
        encoder: list(measure_words(each.vectors.prepared, protocol, pool.labels))
        for encoder, each in prepared.items()
    }
    if all(words.values()):
        yield from words_table(words, len(protocol.queries))


def _held_out(pool: Pool) -> Protocol:
    """The protocol whose queries no network of ours was trained on; its database may have been."""
    protocols = protocols_of(pool, ("c", "art"))
    return protocols[0] if protocols else sampled(pool.size, pool.size)


def _prepare(pool: Pool, encoder: str, protocol: Protocol, config: ProjectionConfig) -> _Prepared:
    raw = np.asarray(pool.raw[encoder], np.float32)
    bits = describe_encoder(encoder).code_bits
    projection = fit_on(raw, bits, protocol, config)
    return _Prepared(prepare(raw, bits, projection), projection)


def _first_by_digest(pool: Pool, places: np.ndarray, most: int) -> np.ndarray:
    """Ascending places of the pictures with the smallest digests, each picture once."""
    by_digest = {pool.digests[at]: int(at) for at in places[::-1]}
    return np.array(sorted(by_digest[digest] for digest in sorted(by_digest)[:most]), np.int64)


def _different(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """(N,) places of different pictures, and for each picture of the pool which of these it is."""
    _, first, number = np.unique(np.array(pool.digests), return_index=True, return_inverse=True)
    return first, number


def _pictures(splits: Sequence[Source], digests: Sequence[str]) -> dict[str, bytes]:
    """Digest -> encoded picture of the source."""
    wanted, found = set(digests), dict[str, bytes]()
    for source in splits:
        for unit in units_of(source):
            for table in read_unit(source, unit, []):
                for data in image_bytes(table):
                    if data and (digest := hashlib.sha256(data).hexdigest()) in wanted:
                        found[digest] = data
    return found
