"""Words without a text tower: labels that they name, and the pictures that are like those."""

import pytest

from pipeline.errors import SimileError
from pipeline.search import Collection, Example, Settings
from pipeline.search.label_words import labels_in, named_labels
from tests.search.conftest import IDS

LABELS = [
    ("genre", "landscape"),
    ("genre", "still_life"),
    ("style", "Impressionism"),
    ("style", "Post_Impressionism"),
    ("artist", "claude-monet"),
    ("artist", "jan-van-eyck"),
    ("label", "cat"),
    ("label", "dog"),
]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("impressionist landscapes", ["landscape", "Impressionism"]),
        ("Post-impressionism", ["Post_Impressionism"]),
        ("a still life by Monet", ["still_life", "claude-monet"]),
        ("CATS", ["cat"]),
        ("van", []),
        ("category", []),
        ("land", []),
        ("", []),
    ],
)
def test_words_name_labels_in_their_forms(words: str, named: list[str]) -> None:
    assert sorted(value for _, value in named_labels(LABELS, words)) == sorted(named)


def test_what_is_like_a_label_is_found_by_its_name(greys: Collection) -> None:
    """Odd pictures are at 10°, 30° … 110°, their mean at 60°; even ones at 0° … 100°, about 50°."""
    found = greys.find([Example(text="odd ones")], settings=Settings(k=12, exact=True))
    assert named_labels(labels_in(*greys.live), "odd ones") == [("style", "odd")] and found.close is None
    scores = [hit.score for hit in found.hits]
    assert len(scores) == 12 and scores == sorted(scores, reverse=True)
    assert {hit.payload["style"] for hit in found.hits} == {"odd", "even"}, "others are found as well"
    assert found.hits[0].id == IDS[6] and found.hits[0].score == pytest.approx(1, abs=0.01)
    hamming = greys.find([Example(text="odd even")], settings=Settings("hamming", k=3, exact=True))
    assert len(hamming.hits) == 3
    with pytest.raises(SimileError, match="no label that these words name; it has labels such as: even, odd"):
        greys.find([Example(text="xyzzy")])
