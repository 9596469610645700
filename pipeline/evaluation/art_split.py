"""Works of art cut by artist: artists that are held out, and a tenth of every other artist's works.

The cut depends on names and image bytes alone, not on the order of the works.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.labels import is_label

__all__ = ["UNSEEN_ARTISTS", "ArtSplit", "art_split", "validation_part"]

UNSEEN_ARTISTS = 20
QUERY_SHARE = 0.1  # of each artist's works


@dataclass(frozen=True)
class ArtSplit:
    """Places of works, each ascending int64; together they are all works.

    Attributes:
        training: works of seen artists that may be trained on; they are also what is searched.
        queries: a fixed tenth of each seen artist's works, never trained on.
        unseen: all works of the artists held out altogether.
        unseen_artists: their names.
    """

    training: np.ndarray
    queries: np.ndarray
    unseen: np.ndarray
    unseen_artists: tuple[str, ...]


def art_split(artists: Sequence[str], digests: Sequence[str], unseen: int = UNSEEN_ARTISTS) -> ArtSplit:
    """Cut works by artist, whatever order they come in.

    Artists are held out by the hash of their name, queries by the hash of the image: of an artist with n
    works the max(1, round(n / 10)) with the smallest one. Copies of one image stay on one side: they share
    their digest. An artist with a single work gives no query, for nothing would be left to find. Works
    without a known artist may be trained on and are searched, but ask nothing.

    Args:
        artists: (N,) names, not class numbers: those depend on the dataset's copy.
        digests: (N,) hexadecimal sha256 of the encoded image bytes, as stored in the source.
        unseen: artists to hold out.
    """
    if len(artists) != len(digests):
        raise ValueError(f"expected one digest a work, got {len(artists)} artists and {len(digests)} digests")
    names = sorted({artist for artist in artists if is_label(artist)}, key=_hash)
    held_out = set(names[:unseen])
    of_artist: dict[str, list[int]] = {name: [] for name in names}
    training: list[int] = []
    for place, artist in enumerate(artists):
        of_artist.get(artist, training).append(place)
    queries: list[int] = []
    for artist in set(names) - held_out:
        works = of_artist[artist]
        distinct = sorted({digests[i] for i in works}, key=_hash)
        number = max(1, round(len(distinct) * QUERY_SHARE)) if len(distinct) > 1 else 0
        asked = set(distinct[:number])
        queries += [i for i in works if digests[i] in asked]
        training += [i for i in works if digests[i] not in asked]
    outside = [i for artist in held_out for i in of_artist[artist]]
    return ArtSplit(_ascending(training), _ascending(queries), _ascending(outside), tuple(sorted(held_out)))


def validation_part(training: np.ndarray, digests: Sequence[str], share: float = 0.1) -> np.ndarray:
    """(V,) bool over `training`: what to choose epochs and settings on, so that nothing is chosen on queries.

    Args:
        training: places of training pictures.
        digests: hexadecimal sha256 of every picture, indexed by those places.
        share: of the training pictures.
    """
    return np.array([int(_hash(f"validation {digests[i]}")[:8], 16) < share * 2**32 for i in training], bool)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _ascending(places: Iterable[int]) -> np.ndarray:
    return np.array(sorted(places), np.int64)
