"""The ways to rank that are compared: trained and untrained codes, float cosine, a classifier's label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.config import ProjectionConfig
from pipeline.evaluation.labels import UNLABELLED
from pipeline.evaluation.protocols import Protocol
from pipeline.evaluation.rankings import CSLS_NEIGHBOURS, csls_offsets
from pipeline.projection import Projection, fit_projection, identity

__all__ = [
    "CSLS_LIMIT",
    "Method",
    "Vectors",
    "fit_on",
    "label_codes",
    "methods_of",
    "predicted_labels",
    "prepare",
]

_FIT_SAMPLE = 10_000
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
        """Of one vector: two a float component (float16), one for eight bits; of a label its number."""
        width = self.vectors.shape[1]
        if self.field is not None:
            return 1 if width <= 256 else 2
        return 2 * width if self.metric == "cosine" else -(-width // 8)


@dataclass(frozen=True)
class Vectors:
    """What one encoder and one projection make of a pool.

    Attributes:
        embedding: (N, D) float, the network's own output; None where only the index was read.
        prepared: (N, P) float, what a collection compares by cosine.
        codes: (N, B) of −1 and +1, what it compares by Hamming distance.
        trained: the codes come from a hash head, not from signs of `prepared`.
    """

    embedding: np.ndarray | None
    prepared: np.ndarray
    codes: np.ndarray
    trained: bool = False


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
    """The projection for a protocol, as an index job would fit it on the protocol's training pictures.

    Two protocols with the same training pictures share it.
    """
    sample = raw[_sample(protocol), : raw.shape[1] - (code_bits or 0)]
    if config.kind == "none":
        return identity(sample.shape[1], config.code_bits)
    return fit_projection(sample, config.dimension, whitening=config.whitening, code_bits=config.code_bits)


def methods_of(
    vectors: Vectors,
    protocol: Protocol,
    labels: Mapping[str, np.ndarray],
    short_codes: Sequence[int] = (48,),
) -> Iterator[Method]:
    """All ways to rank with one encoder under one protocol, one after the other (they are large).

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


def _sample(protocol: Protocol) -> np.ndarray:
    """Places of what unsupervised steps are fitted on: never queries that are not searched themselves."""
    allowed = protocol.training if len(protocol.training) else protocol.database
    return np.sort(np.random.default_rng(0).permutation(allowed)[:_FIT_SAMPLE])


def _signs(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, np.int8(1), np.int8(-1))


# Strengths tried on a tenth of the training pictures; relative to the mean square of a feature.
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def predicted_labels(
    features: np.ndarray, labels: np.ndarray, training: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Labels that a linear classifier on `features` gives to all pictures.

    Ridge regression to one-hot targets. The strength is chosen by accuracy on a tenth of the training
    pictures, which the final fit includes again; queries are never looked at.

    Args:
        features: (N, D) float.
        labels: (N,) int, −1 unlabelled.
        training: places of the training pictures.

    Returns:
        (N,) int, one of the labels seen in training.
    """
    training = training[labels[training] != UNLABELLED]
    classes, targets = np.unique(labels[training], return_inverse=True)
    mixed = np.random.default_rng(seed).permutation(len(training))
    held, rest = mixed[: len(mixed) // 10], mixed[len(mixed) // 10 :]
    strength = _STRENGTHS[2]
    if len(held):
        moments = _moments(features[training[rest]], targets[rest], len(classes))
        right = [
            (_predict(features[training[held]], _solve(moments, each)) == targets[held]).mean()
            for each in _STRENGTHS
        ]
        strength = _STRENGTHS[int(np.argmax(right))]
    fit = _solve(_moments(features[training], targets, len(classes)), strength)
    return classes[_predict(features, fit)]


def label_codes(labels: np.ndarray) -> np.ndarray:
    """(N,) int -> (N, C) int8 of −1 and +1, one bit set: equal labels at distance 0, all others at 2.

    Sablayrolles et al., "How should we evaluate supervised hashing?", ICASSP 2017, show that this beats
    most published hashes; it is printed beside them.
    """
    classes, at = np.unique(labels, return_inverse=True)
    codes = np.full((len(labels), len(classes)), -1, np.int8)
    codes[np.arange(len(labels)), at] = 1
    return codes


@dataclass(frozen=True)
class _Moments:
    """Means and products of features and one-hot targets: all that ridge regression needs of them."""

    mean: np.ndarray
    bias: np.ndarray
    gram: np.ndarray
    cross: np.ndarray


def _moments(features: np.ndarray, targets: np.ndarray, classes: int) -> _Moments:
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean.astype(np.float32)
    wanted = np.eye(classes, dtype=np.float32)[targets]
    gram = (centred.T @ centred).astype(np.float64)
    return _Moments(mean, wanted.mean(axis=0), gram, (centred.T @ wanted).astype(np.float64))


def _solve(moments: _Moments, strength: float) -> tuple[np.ndarray, _Moments]:
    size = len(moments.gram)
    penalty = strength * np.trace(moments.gram) / size
    return np.linalg.solve(moments.gram + penalty * np.eye(size), moments.cross), moments


def _predict(features: np.ndarray, fit: tuple[np.ndarray, _Moments]) -> np.ndarray:
    weights, moments = fit
    shifted = moments.bias - moments.mean @ weights
    return (features @ weights.astype(np.float32) + shifted).argmax(axis=1)
