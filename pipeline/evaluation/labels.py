"""Payload values -> numbers that can be compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["UNLABELLED", "Labels", "encode_labels", "is_label"]

UNLABELLED = -1  # relevant to nothing, itself included
# Values that say that there is no label, as WikiArt's "Unknown Genre" does.
_NO_LABEL = {"", "unknown", "unknown artist", "unknown genre", "unknown style"}


@dataclass(frozen=True)
class Labels:
    """One field of every picture.

    Attributes:
        values: (N,) int64, −1 where there is no label.
        names: of the values.
    """

    values: np.ndarray
    names: tuple[str, ...]

    def texts(self) -> list[str]:
        """(N,) names, "" where there is no label."""
        return ["" if value == UNLABELLED else self.names[value] for value in self.values]

    @property
    def tell_apart(self) -> bool:
        """Whether there are two labels or more, and on average at least two pictures of each."""
        counts = np.bincount(self.values[self.values != UNLABELLED], minlength=1)
        return bool((counts > 0).sum() > 1 and counts.max() > 1 and (counts > 0).sum() <= counts.sum() / 2)


def is_label(value: Any) -> bool:
    """Whether a payload value names something; None, "" and the likes of "Unknown Genre" do not."""
    return value is not None and str(value).strip().lower() not in _NO_LABEL


def encode_labels(values: Iterable[Any]) -> Labels:
    """Names in alphabetical order become 0, 1, …; what is no label becomes −1.

    Of several labels of one picture the first counts.
    """
    one_each = (value[0] if isinstance(value, list) and value else value for value in values)
    texts = [str(value) if is_label(value) else None for value in one_each]
    names = sorted({text for text in texts if text is not None})
    number = {name: i for i, name in enumerate(names)}
    coded = [UNLABELLED if text is None else number[text] for text in texts]
    return Labels(np.array(coded, np.int64), tuple(names))
