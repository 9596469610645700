"""The ways to rank that are compared: trained and untrained codes, float cosine, a classifier's label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.config import ProjectionConfig
from pipeline.evaluation.classifier import label_codes, predicted_labels
from pipeline.evaluation.pool import Vectors
from pipeline.evaluation.protocols import Protocol
from pipeline.evaluation.rankings import CSLS_NEIGHBOURS, csls_offsets
from pipeline.projection import Projection, fit_projection, identity

__all__ = ["CSLS_LIMIT", "Method", "fit_on", "methods_of", "prepare"]

CSLS_LIMIT = 10_000  # database pictures; every one is compared with every other
_FIT_SAMPLE = 10_000


@dataclass(frozen=True)
class Method:
    """One way to rank.

    Attributes:
        name: for the table.
        metric: how rows of `vectors` are compared.
        vectors: (N, D) of the whole pool: float, or −1 and +1.
        field: the only label field it can be measured by (a classifier's); None: any.
        offsets: (database,) CSLS offsets, or None.
    """

    name: str
    metric: Literal["cosine", "hamming"]
    vectors: np.ndarray
    field: str | None = None
    offsets: np.ndarray | None = None

    @property
    def bytes(self) -> int:
        """Of one vector: 2 for a float component (float16), 1 for eight bits, 1 or 2 for a label."""
        width = int(self.vectors.shape[1])
        if self.field is not None:
            return 1 if width <= 256 else 2
        return 2 * width if self.metric == "cosine" else -(-width // 8)


def methods_of(
    vectors: Vectors,
    protocol: Protocol,
    labels: Mapping[str, np.ndarray],
    short_codes: Sequence[int] = (48,),
) -> Iterator[Method]:
    """All ways to rank with one encoder under one protocol, one at a time because they are large.

    Args:
        vectors: of `prepare`, or as stored.
        protocol: a classifier is fitted on its training pictures; without any there is none.
        labels: field -> (N,) int, for the classifier.
        short_codes: lengths of untrained codes (ITQ) to show beside a trained one.
    """
    if vectors.embedding is not None:
        yield Method("raw cosine", "cosine", vectors.embedding)
    yield Method("cosine", "cosine", vectors.prepared)
    if len(protocol.database) <= CSLS_LIMIT and len(protocol.database) > CSLS_NEIGHBOURS:
        offsets = csls_offsets(vectors.prepared[protocol.database])
        yield Method("cosine, CSLS", "cosine", vectors.prepared, offsets=offsets)
    bits = vectors.codes.shape[1]
    yield Method(
        f"{'trained code' if vectors.trained else 'signs of vector'}, {bits} bits", "hamming", vectors.codes
    )
    if vectors.trained:
        signs = _signs(vectors.prepared)
        yield Method(f"signs of vector, {signs.shape[1]} bits", "hamming", signs)
    if vectors.embedding is not None:
        yield from _short_codes(vectors.embedding, protocol, short_codes)
    if len(protocol.training):
        for field, values in labels.items():
            predicted = predicted_labels(vectors.prepared, values, protocol.training)
            yield Method("classifier's label as code", "hamming", label_codes(predicted), field)


def _short_codes(embedding: np.ndarray, protocol: Protocol, lengths: Sequence[int]) -> Iterator[Method]:
    sample = _sample(protocol)
    for bits in lengths:
        if bits < min(embedding.shape[1], len(sample)):
            codes = _signs(fit_projection(embedding[sample], bits).apply(embedding))
            yield Method(f"untrained code (ITQ), {codes.shape[1]} bits", "hamming", codes)


def prepare(raw: np.ndarray, code_bits: int | None, projection: Projection) -> Vectors:
    """Split the raw output and project it.

    Args:
        raw: (N, D [+ code_bits]) float, the network's output for the whole pool.
        code_bits: of its hash head, or None.
        projection: from `fit_on`, or an index.
    """
    embedding = raw[:, : raw.shape[1] - (code_bits or 0)]
    prepared, codes = projection.split(embedding if not projection.hash_bits else raw)
    if code_bits:
        codes = _signs(raw[:, -code_bits:])
    return Vectors(embedding, prepared, codes, trained=bool(code_bits))


def fit_on(
    raw: np.ndarray, code_bits: int | None, protocol: Protocol, config: ProjectionConfig
) -> Projection:
    """The projection that an index job would fit on the protocol's training pictures.

    It depends on these pictures only: protocols that share them share the projection. Without training
    pictures it is fitted on the database.
    """
    sample = raw[_sample(protocol), : raw.shape[1] - (code_bits or 0)]
    if config.kind == "none":
        return identity(sample.shape[1], config.code_bits)
    return fit_projection(sample, config.dimension, whitening=config.whitening, code_bits=config.code_bits)


def _sample(protocol: Protocol) -> np.ndarray:
    """Places of the pictures that unsupervised steps are fitted on; queries only if they are searched too."""
    allowed = protocol.training if len(protocol.training) else protocol.database
    return np.sort(np.random.default_rng(0).permutation(allowed)[:_FIT_SAMPLE])


def _signs(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, np.int8(1), np.int8(-1))
