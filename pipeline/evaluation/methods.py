"""The ways to rank that are compared: trained and untrained codes, float cosine, a classifier's label."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.evaluation.classifier import label_codes, predicted_labels
from pipeline.evaluation.neighbours import csls_offsets
from pipeline.evaluation.splits import Protocol
from pipeline.projection import Projection, fit_projection

__all__ = ["CSLS_LIMIT", "Method", "methods_of", "stored_methods"]

_PREPARED = 512  # components of a prepared vector, as in qdrant_config's default
_FIT_SAMPLE = 20_000
CSLS_LIMIT = 10_000  # database pictures; every one is compared with every other


@dataclass(frozen=True)
class Method:
    """One way to rank.

    Attributes:
        name: for the table.
        metric: how rows of `vectors` are compared.
        vectors: (N, D) of the whole pool: float, or −1 and +1.
        field: the labels it was made for (a classifier's), or None: any.
        offsets: (database,) CSLS offsets, or None.
    """

    name: str
    metric: Literal["cosine", "hamming"]
    vectors: np.ndarray
    field: str | None = None
    offsets: np.ndarray | None = None

    @property
    def bytes(self) -> int:
        """Of one vector: two a float component (float16), one for eight bits."""
        width = self.vectors.shape[1]
        return 2 * width if self.metric == "cosine" else -(-width // 8)


def methods_of(
    raw: np.ndarray,
    code_bits: int | None,
    protocol: Protocol,
    labels: dict[str, np.ndarray],
    projection: Projection | None = None,
    short_codes: tuple[int, ...] = (48,),
) -> Iterator[Method]:
    """All methods of one encoder under one protocol, one after the other (they are large).

    Args:
        raw: (N, D [+ code_bits]) float, the network's output for the whole pool.
        code_bits: of its hash head, or None.
        protocol: what may be fitted on: its training pictures, else its database, never its queries
            unless they are searched themselves.
        labels: field -> (N,) int, for the classifier.
        projection: the one of an index; by default one is fitted.
        short_codes: lengths of untrained codes (ITQ) to show beside the trained one.
    """
    embedding = raw[:, : raw.shape[1] - (code_bits or 0)]
    yield Method("raw cosine", "cosine", embedding)
    fitted_on = protocol.training if len(protocol.training) else protocol.database
    sample = np.sort(np.random.default_rng(0).permutation(fitted_on)[:_FIT_SAMPLE])
    projection = projection or fit_projection(embedding[sample], _PREPARED)
    prepared = projection.apply(embedding)
    yield from _cosines(prepared, protocol)
    if code_bits:
        yield Method(f"trained code, {code_bits} bits", "hamming", _signs(raw[:, -code_bits:]))
    yield Method(f"signs of prepared, {prepared.shape[1]} bits", "hamming", _signs(prepared))
    for bits in short_codes:
        if bits < min(prepared.shape[1], len(sample) - 1):
            short = fit_projection(embedding[sample], bits).apply(embedding)
            yield Method(f"untrained code (ITQ), {short.shape[1]} bits", "hamming", _signs(short))
    if len(protocol.training):
        for field, values in labels.items():
            predicted = predicted_labels(prepared, values, protocol.training)
            yield Method("classifier's label as code", "hamming", label_codes(predicted), field)


def stored_methods(vectors: np.ndarray, codes: np.ndarray, protocol: Protocol) -> Iterator[Method]:
    """What a collection itself searches by: (N, D) float vectors and (N, B) codes as they are stored."""
    yield from _cosines(vectors, protocol)
    yield Method(f"code, {codes.shape[1]} bits", "hamming", codes)


def _cosines(prepared: np.ndarray, protocol: Protocol) -> Iterator[Method]:
    yield Method("cosine", "cosine", prepared)
    if 10 < len(protocol.database) <= CSLS_LIMIT:
        yield Method("cosine, CSLS", "cosine", prepared, offsets=csls_offsets(prepared[protocol.database]))


def _signs(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, np.int8(1), np.int8(-1))
