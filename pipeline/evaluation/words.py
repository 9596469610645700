"""Words for encoders without a text tower: how well prototypes of labels find pictures of these labels.

Prototypes are those of the search (`pipeline.search.label_words`), which makes them of some of a label's
pictures; here they are made of all training pictures. What they find are pictures that they were not made of.
This is the nearest class mean of Mensink et al., "Distance-based image classification: generalizing to new
classes at near-zero cost", PAMI 2013.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from pipeline.evaluation.labels import Labels
from pipeline.evaluation.protocols import Protocol
from pipeline.search.label_words import joined, prototype
from pipeline.vectors import unit

__all__ = ["WordsRow", "measure_words"]

_MOST_VALUES = 50  # of a field that words of a visitor would name; artists are a search of their own
_LEAST_HELD_OUT = 5  # pictures that a query must be able to find
_K = 10


@dataclass(frozen=True)
class WordsRow:
    """How well queries that name one label find it.

    Attributes:
        field, value: the label.
        queries: different queries that name it; with two fields, together with a label of the other one.
        precision: P@10, the mean over these queries.
        possible: the most that P@10 can be, where fewer than ten pictures are right.
        random: the share of right pictures among all that are searched, what chance would find.
    """

    field: str
    value: str
    queries: int
    precision: float
    possible: float
    random: float


def measure_words(
    prepared: np.ndarray, protocol: Protocol, labels: Mapping[str, Labels]
) -> Iterator[WordsRow]:
    """A row for each label value that some query names; a query names a label of each of two fields.

    With one field of few values, a query names one label.

    Args:
        prepared: (N, P) float of the whole pool.
        protocol: prototypes are made of its training pictures, and its queries are what is searched.
        labels: of the whole pool.
    """
    named = [field for field, each in labels.items() if each.tell_apart and len(each.names) <= _MOST_VALUES]
    if not named or not len(protocol.training):
        return
    fields = named if len(named) == 1 else min(combinations(named, 2), key=lambda pair: _values(labels, pair))
    searched = unit(prepared[protocol.queries])
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for values in product(*(range(len(labels[field].names)) for field in fields)):
        of_each = [labels[field].values == value for field, value in zip(fields, values, strict=True)]
        right = np.logical_and.reduce(of_each)[protocol.queries]
        taught = [protocol.training[has[protocol.training]] for has in of_each]
        if right.sum() < _LEAST_HELD_OUT or not all(map(len, taught)):
            continue
        wanted = joined([prototype(prepared[own]) for own in taught])
        nearest = np.argsort(-(searched @ wanted), kind="stable")[:_K]
        figures = (float(right[nearest].mean()), min(1.0, right.sum() / _K), float(right.mean()))
        for field, value in zip(fields, values, strict=True):
            found.setdefault((field, labels[field].names[value]), []).append(figures)
    for (field, name), each in found.items():
        yield WordsRow(field, name, len(each), *(round(float(mean), 4) for mean in np.mean(each, axis=0)))


def _values(labels: Mapping[str, Labels], fields: tuple[str, ...]) -> int:
    return max(len(labels[field].names) for field in fields)
