"""A query: what is searched from (a picture, a part of it, a stored picture, words) and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image
from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.given_values import check_bool, check_mapping, check_number, check_whole
from pipeline.images import Picture
from pipeline.images.palette import COLOUR_METHOD, checked_colours
from pipeline.parsing import parse_json
from pipeline.points import checked_id
from pipeline.store.filters import wanted_of
from pipeline.store.manifest import Manifest, Version

__all__ = [
    "MAX_K",
    "METRICS",
    "MOST_CHARACTERS",
    "Box",
    "Example",
    "Metric",
    "Settings",
    "check_examples",
    "cropped",
    "is_vector_text",
    "search_params",
    "words_or_vector",
]

Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of width and height, 0 to 1

MOST_CHARACTERS = 100_000  # of a line of text: a vector of 4,096 numbers as JSON
_MOST_WORDS = 300  # characters
_SMALLEST = 8  # pixels; a smaller box was not meant as a part of the picture


@dataclass(frozen=True)
class Example:
    """One thing that hits shall be like, or unlike. Exactly one of picture, id, text and vector is set.

    Attributes:
        picture: in any of the forms that `pipeline.images.as_rgb` takes.
        id: of a stored picture, which is then left out of its own results.
        text: words: for the text tower of an encoder, else names of the collection's labels.
        box: only this part of `picture`.
        part_of: id of the stored picture that `picture` is a part of; it is left out of the results, too.
        vector: (D,) numbers as the encoder gives them, before the projection; kept as a tuple.
    """

    picture: Picture | None = None
    id: str | None = None
    text: str | None = None
    box: Box | None = None
    part_of: str | None = None
    vector: Sequence[float] | np.ndarray | None = None

    def __post_init__(self) -> None:
        given = [self.picture is not None, bool(self.id), bool(self.text and self.text.strip())]
        if sum(given) + (self.vector is not None) != 1:
            raise SimileError(
                "An example is a picture, the id of a stored one, words, or a vector; give one of them."
            )
        if self.vector is not None:
            object.__setattr__(self, "vector", _checked_vector(self.vector))
        if self.box is not None:
            if self.picture is None:
                raise SimileError("Only a part of a picture can be cut out; send the picture with its box.")
            _check(self.box)
        if self.id:
            object.__setattr__(self, "id", checked_id(self.id))


def check_examples(likes: object, dislikes: object) -> None:
    """Refuses what is no list of examples.

    Raises:
        SimileError: naming the argument, and what was given.
    """
    for name, given in (("likes", likes), ("dislikes", dislikes)):
        wrong = (
            given
            if not isinstance(given, list | tuple)
            else next((one for one in given if not isinstance(one, Example)), None)
        )
        if wrong is not None:
            raise SimileError(
                f"{name} must be a list of examples, such as [Example(picture='cat.jpg')]; got "
                f"{type(wrong).__name__}."
            )


def _checked_vector(given: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    try:
        numbers = np.asarray(given, np.float64)
    except (ValueError, TypeError):
        numbers = np.empty((0, 0))
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all() or not numbers.any():
        raise SimileError(
            "A vector is a list of numbers, none of them NaN or infinite and not all of them zero, such as "
            "[0.12, -0.5, 0.33]."
        )
    return tuple(numbers.tolist())


def words_or_vector(text: str) -> Example:
    """What a line of text asks for: a list of numbers is a vector, everything else is words.

    >>> words_or_vector("[1, 0.5]").vector, words_or_vector("a red barn").text
    ((1.0, 0.5), 'a red barn')
    """
    if is_vector_text(text):
        return Example(vector=parse_json(text))
    if len(text) > _MOST_WORDS:
        told = f"These words have {len(text):,} characters; write at most {_MOST_WORDS}."
        raise SimileError(told)
    return Example(text=text)


def is_vector_text(text: str) -> bool:
    """Whether a text is a list of numbers as JSON has it.

    >>> is_vector_text("[1, 0.5]"), is_vector_text("[sic]"), is_vector_text("red")
    (True, False, False)
    """
    if not text.lstrip().startswith("["):
        return False
    try:
        given = parse_json(text)
    except (ValueError, TypeError):
        return False
    return isinstance(given, list) and all(type(one) in (int, float) for one in given)


def _check(box: Sequence[float]) -> None:
    if len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
        raise SimileError(
            f"The box {tuple(box)} is not valid; expected left < right and top < bottom, each a share of the "
            "side from 0 to 1."
        )


def cropped(image: Image.Image, box: Box | None) -> Image.Image:
    """The part of the image inside the box, in whole pixels.

    >>> cropped(Image.new("RGB", (100, 50)), (0.1, 0.0, 0.5, 1.0)).size
    (40, 50)
    """
    if box is None:
        return image
    width, height = image.size
    part = (round(box[0] * width), round(box[1] * height), round(box[2] * width), round(box[3] * height))
    if part[2] - part[0] < _SMALLEST or part[3] - part[1] < _SMALLEST:
        raise SimileError(
            f"The box covers {part[2] - part[0]} × {part[3] - part[1]} pixels; draw one of {_SMALLEST} × "
            f"{_SMALLEST} or more."
        )
    return image.crop(part)


MAX_K = 1000
Metric = Literal["cosine", "hamming"]
METRICS: tuple[Metric, ...] = ("cosine", "hamming")


@dataclass(frozen=True)
class Settings:
    """One search.

    Attributes:
        metric: `cosine` over prepared vectors, or `hamming` over their codes.
        k: hits wanted, 1 to 1,000; `offset`: of the ranking, how many are left out before them.
        filters: payload field -> value, list of values of which one must match, range, None for "no value",
            or what must not match (see `pipeline.store.filter_terms`); fields are ANDed.
        excluded: the same for what no hit may have ("not the same artist").
        exact: compare with every point instead of the HNSW graph over quantized vectors.
        encoder: one of the collection's; the first where none is named.
        combine: several likes: `any`, a hit is near one of them; `average`, near their mean.
        diversity: 0 to 1; above 0 hits are chosen by maximal marginal relevance (Carbonell & Goldstein 1998)
            to the likes' mean, 1 − diversity being the paper's λ.
        matches_only: hits at or above the score that the collection was calibrated to.
        min_score: hits at or above this `Hit.score`.
        fold: one hit for pictures that are nearly the same; the others are named in it.
        at_most: payload field -> how many hits may share a value of it ("two of each artist").
        colours: up to five, such as `#aa3311`. Alone they rank all pictures by how much of them they have;
            with likes, the nearest pictures are ranked by both (see `colour_search`).
    """

    metric: Metric = "cosine"
    k: int = 10
    offset: int = 0
    filters: Mapping[str, Any] | None = None
    excluded: Mapping[str, Any] | None = None
    exact: bool = False
    encoder: str | None = None
    combine: Literal["any", "average"] = "any"
    diversity: float = 0.0
    matches_only: bool = False
    min_score: float | None = None
    fold: bool = False
    at_most: Mapping[str, int] | None = None
    colours: Sequence[str] = ()

    def check(self, version: Version) -> None:
        """Refuses what is out of bounds, fields that the version does not know, and wrong values of them."""
        if self.metric not in METRICS:
            raise SimileError(f"Metric '{self.metric}' is not known; choose {' or '.join(METRICS)}.")
        check_whole("k", self.k, 1, MAX_K)
        check_whole("offset", self.offset, 0, MAX_K)
        if self.combine not in ("any", "average"):
            raise SimileError(f"combine is '{self.combine}'; choose any or average.")
        check_number("diversity", self.diversity, 0, 1)
        if self.min_score is not None:
            check_number("min_score", self.min_score, -1, 1)
        for name in ("exact", "matches_only", "fold"):
            check_bool(name, getattr(self, name))
        check_mapping("at_most", self.at_most, '{"artist": 2}')
        for field, most in (self.at_most or {}).items():
            check_whole(f"at_most of '{field}'", most, 1)
        version.check_fields(self.at_most or {})
        if checked_colours(self.colours) and version.manifest.colours != COLOUR_METHOD:
            raise SimileError(
                f"'{version.manifest.collection}' was indexed without the colours of its pictures; index it "
                "again with --refit to search by them."
            )
        wanted_of(version, self.filters, self.excluded)


def search_params(
    manifest: Manifest,
    k: int,
    exact: bool,
    metric: Metric = "cosine",
    filtered: bool = False,
    by_originals: bool = False,
) -> models.SearchParams:
    """Exact: every point, by cosine in full precision. Otherwise the graph, as the version's settings say.

    `by_originals`: an exact Hamming search must not compare the codes in RAM, because the query is a mean and
    no code, or because the store forbids exact searches and gave even few codes a graph.
    """
    scanned = not by_originals and not manifest.hnsw.over_codes(manifest.rows)
    return manifest.search.to_qdrant(k, exact=exact, metric=metric, filtered=filtered, codes_scanned=scanned)
