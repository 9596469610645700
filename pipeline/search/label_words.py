"""Words for encoders that know pictures only: labels that they name, and the pictures that are like those.

Each label has a prototype, the mean of the vectors of its pictures. A query is the mean of the prototypes
that its words name. So pictures without a label are found as well.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.errors import SimileError
from pipeline.store import Store
from pipeline.store.filters import qdrant_filter, wanted_of
from pipeline.store.manifest import EncoderEntry, Version
from pipeline.vectors import unit

__all__ = ["Label", "joined", "label_prototype", "labels_in", "named_labels", "prototype"]

Label = tuple[str, str]  # field and value

_SAMPLE = 256  # pictures whose mean is a prototype; ids are hashes, so the first ones are a fair sample
_MOST_VALUES = 5000  # of a field; one that has more is an identifier
_STEM, _ENDING = 4, 3  # letters that two forms of a word share at least, and that may differ at its end
_SHOWN = 8  # labels that a message names


def labels_in(store: Store, version: Version) -> list[Label]:
    """Every value of the fields of text, the most frequent ones of each field first."""
    fields = [name for name, kind in version.manifest.kinds.items() if kind.kind == "text"]
    return [(field, value) for field in fields for value, _ in store.facet(version.name, field, _MOST_VALUES)]


def named_labels(labels: Iterable[Label], text: str) -> list[Label]:
    """The labels that words name, each word once; a longer label comes before one that is part of it.

    A label of several words is also named by its last one, if no other label ends in it.

    >>> labels = [("style", "Impressionism"), ("style", "Post_Impressionism"), ("artist", "claude-monet")]
    >>> named_labels(labels, "post impressionist pictures by Monet")
    [('style', 'Post_Impressionism'), ('artist', 'claude-monet')]
    >>> named_labels(labels, "impressionist"), named_labels(labels, "a press")
    ([('style', 'Impressionism')], [])
    """
    left, known = _words(text), [(label, _words(label[1])) for label in labels]
    ends = [words[-1] for _, words in known if words]
    found = []
    for label, words in sorted(known, key=lambda each: -len(each[1])):
        if words and (used := _used(left, words)):
            found.append(label)
            left = [word for word in left if word not in used]
    for label, words in known:
        if len(words) > 1 and ends.count(words[-1]) == 1 and (used := _used(left, words[-1:])):
            found.append(label)
            left = [word for word in left if word not in used]
    return found


def _used(given: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The given words that are forms of the wanted ones; none unless each of those is there."""
    used = [next((one for one in given if _same(one, word)), None) for word in wanted]
    return [one for one in used if one] if all(used) else []


def _same(first: str, second: str) -> bool:
    """Whether two words are forms of one: equal, or with another ending (`boats`, `impressionist`)."""
    shared = next(
        (at for at, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), None
    )
    if shared is None:  # one begins the other
        shared = min(len(first), len(second))
        return abs(len(first) - len(second)) <= (1 if shared < _STEM else _ENDING) and shared > 1
    return shared >= _STEM + 1 and max(len(first), len(second)) - shared <= _ENDING


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("_", " "))


def label_prototype(
    store: Store, version: Version, entry: EncoderEntry, text: str
) -> tuple[np.ndarray, np.ndarray]:
    """(D,) float32 vector and (B,) ±1 code of the labels that the words name.

    Raises:
        SimileError: they name none; the message says some that there are.
    """
    labels = labels_in(store, version)
    named = named_labels(labels, text)
    if not named:
        last = [label for label in labels if label[0] == labels[-1][0]]  # often the most general field
        some = ", ".join(value for _, value in last[:_SHOWN])
        said = f"it has labels such as: {some}" if some else "it has no labels; search with a picture"
        raise SimileError(f"'{version.manifest.collection}' has no label that these words name; {said}.")
    vectors, codes = zip(*(_stored_prototype(store, version, entry, label) for label in named), strict=True)
    signs = np.where(np.mean(codes, axis=0) >= 0, 1, -1)
    return joined(vectors), signs.astype(np.float32)


def prototype(vectors: np.ndarray) -> np.ndarray:
    """(N, D) float vectors of a label's pictures, N ≥ 1 -> (D,) float32, the mean of their directions."""
    return np.asarray(unit(vectors).mean(axis=0), np.float32)


def joined(prototypes: Sequence[np.ndarray]) -> np.ndarray:
    """(D,) float each, one or more -> (D,) float32, the query for all these labels; each counts the same."""
    return np.asarray(unit(np.stack(prototypes)).mean(axis=0), np.float32)


def _stored_prototype(
    store: Store, version: Version, entry: EncoderEntry, label: Label
) -> tuple[np.ndarray, np.ndarray]:
    names = [entry.vector, entry.code]
    wanted = qdrant_filter(wanted_of(version, {label[0]: [label[1]]}))
    records = store.scroll(version.name, _SAMPLE, with_vectors=names, fields=(), query_filter=wanted)
    vectors, codes = (
        np.asarray([record.vector[name] for record in records], np.float32)  # type: ignore[index,call-overload]
        for name in names
    )
    return prototype(vectors), codes.mean(axis=0)
