"""Searches over twelve grey pictures whose order is known: grey level 10 · i looks at angle 10 · i."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.search import Collection, Example, Found, Settings, query_embedding
from pipeline.vectors import hamming_distances
from tests.search.conftest import IDS, direction, grey

EXACT = Settings(exact=True, k=4)


def places(found: Found) -> list[int]:
    return [IDS.index(hit.id) for hit in found.hits]


def like(level: int) -> Example:
    return Example(picture=grey(level))


@pytest.mark.parametrize("exact", [True, False])
def test_nearest_first_with_the_cosine_of_the_angle(greys: Collection, exact: bool) -> None:
    found = greys.find([like(52)], settings=replace(EXACT, exact=exact, k=3))
    assert places(found) == [5, 6, 4]
    assert [hit.score for hit in found.hits] == pytest.approx(np.cos(np.radians([2, 8, 12])), abs=1e-3)
    assert found.embed_ms > 0 and found.search_ms > 0 and found.more


def test_hamming_counts_differing_bits(greys: Collection) -> None:
    found = greys.find([like(50)], settings=replace(EXACT, metric="hamming", k=12))
    codes = np.where(np.stack([direction(10 * i) for i in range(12)]) >= 0, 1, -1)
    true = hamming_distances(codes[5], codes)
    assert [hit.distance for hit in found.hits] == [true[place] for place in places(found)]
    assert [hit.distance for hit in found.hits] == sorted(true.tolist())
    assert [hit.score for hit in found.hits] == pytest.approx([1 - 2 * h.distance / 32 for h in found.hits])


def test_a_stored_picture_is_not_its_own_hit(greys: Collection) -> None:
    found = greys.find([Example(id=IDS[5])], settings=replace(EXACT, k=11))
    assert set(places(found)) == set(range(12)) - {5} and not found.more
    assert found.embed_ms == 0


def test_the_second_page_follows_the_first(greys: Collection) -> None:
    whole = places(greys.find([like(3)], settings=replace(EXACT, k=12)))
    first = greys.find([like(3)], settings=replace(EXACT, k=5))
    second = greys.find([like(3)], settings=replace(EXACT, k=5, offset=5))
    third = greys.find([like(3)], settings=replace(EXACT, k=5, offset=10))
    assert places(first) + places(second) + places(third) == whole
    assert (first.more, second.more, third.more) == (True, True, False)


def test_any_finds_both_neighbourhoods_and_average_the_middle(greys: Collection) -> None:
    likes = [like(0), like(110)]
    either = greys.find(likes, settings=EXACT)
    assert set(places(either)) == {0, 1, 10, 11}
    best = either.hits[0]
    assert len(best.like_scores) == 2 and best.score == max(best.like_scores) == pytest.approx(1, abs=1e-4)
    middle = greys.find(likes, settings=replace(EXACT, combine="average", k=2))
    assert set(places(middle)) == {5, 6}
    assert middle.hits[0].score == pytest.approx(np.cos(np.radians(55)), abs=0.09)


@pytest.mark.parametrize("metric", ["cosine", "hamming"])
def test_a_dislike_moves_hits_to_its_far_side(greys: Collection, metric: Any) -> None:
    settings = replace(EXACT, metric=metric, k=5)
    found = greys.find([like(50)], [like(90)], settings)
    assert set(places(found)) == {3, 4, 5, 6, 2} and found.hits[0].dislike_scores
    assert all(hit.like_scores[0] > hit.dislike_scores[0] for hit in found.hits)
    averaged = greys.find([like(50)], [like(90)], replace(settings, combine="average", k=3))
    assert max(places(averaged)) <= 5 and min(places(averaged)) < 4


@pytest.mark.parametrize("metric", ["cosine", "hamming"])
@pytest.mark.parametrize("others", [{}, {"combine": "average"}, {"diversity": 0.5}])
def test_what_is_nearer_to_a_dislike_is_left_out(greys: Collection, metric: Any, others: Any) -> None:
    """Liked is 50°, disliked 90°: 70° is the middle, and all beyond is nearer to the dislike."""
    found = greys.find([like(50)], [like(90)], replace(EXACT, metric=metric, k=12, **others))
    assert set(places(found)) - {7} == set(range(7)) and not found.more


def test_filters_and_what_is_excluded(greys: Collection) -> None:
    wanted = replace(EXACT, k=12, filters={"style": ["even"]}, excluded={"artist": ["artist 0", "artist 1"]})
    found = greys.find([like(0)], settings=wanted)
    assert places(found) == [2, 8] and not found.more


def test_at_most_one_of_each_artist(greys: Collection) -> None:
    found = greys.find([like(0)], settings=replace(EXACT, k=10, at_most={"artist": 1}))
    assert places(found) == [0, 1, 2]


def test_folded_copies_are_named(greys: Collection) -> None:
    """cos 30° is above the limit of 0.8, cos 40° below it."""
    found = greys.find([like(0)], settings=replace(EXACT, k=12, fold=True))
    assert places(found) == [0, 4, 8]
    assert found.hits[0].copies == tuple(IDS[1:4]) and found.hits[2].copies == tuple(IDS[9:])


def test_diversity_reaches_further_away(greys: Collection) -> None:
    near = greys.find([like(0)], settings=EXACT)
    far = greys.find([like(0)], settings=replace(EXACT, diversity=0.7))
    assert places(near) == [0, 1, 2, 3]
    assert far.hits[0].id == IDS[0] and max(places(far)) > 6
    again = greys.find([like(0)], settings=replace(EXACT, diversity=0.7, k=2, offset=2))
    assert places(again) == places(far)[2:]


@pytest.mark.parametrize("several", [False, True])
def test_a_least_score_ends_the_list(greys: Collection, several: bool) -> None:
    likes = [like(0), like(1)] if several else [like(0)]
    found = greys.find(likes, settings=replace(EXACT, k=12, min_score=float(np.cos(np.radians(25)))))
    assert places(found) == [0, 1, 2] and not found.more


def test_matches_are_those_above_the_calibrated_score_and_others_are_weak(greys: Collection) -> None:
    everything = greys.find([like(0)], settings=replace(EXACT, k=12))
    assert everything.threshold is not None
    strong = [hit.id for hit in everything.hits if not hit.weak]
    assert 0 < len(strong) < 12
    assert [hit.id for hit in everything.hits if hit.score >= everything.threshold - 1e-6] == strong
    unusual = [hit.unusual for hit in everything.hits if hit.unusual is not None]
    assert len(unusual) == 12 and unusual == sorted(unusual, reverse=True) and unusual[0] == 1.0
    matches = greys.find([like(0)], settings=replace(EXACT, k=12, matches_only=True))
    assert [hit.id for hit in matches.hits] == strong


def test_what_is_near_is_counted_without_being_fetched(greys: Collection) -> None:
    scores = [float(np.cos(np.radians(degrees))) for degrees in (200, 45, 25, 5)]
    assert greys.count_near(like(0), EXACT, scores) == [12, 5, 3, 1]
    assert greys.count_near(like(0), replace(EXACT, min_score=0.99, k=1), scores[1:]) == [5, 3, 1]
    found = greys.find([like(0)], settings=EXACT)
    assert found.is_close and found.close is not None
    assert greys.find([like(0), like(1)], settings=EXACT).close is None, "of several it is not known"


def test_without_calibration_nothing_is_claimed(uncalibrated: Collection) -> None:
    found = uncalibrated.find([like(0)], settings=EXACT)
    assert found.threshold is None and found.hits[0].unusual is None and found.hits[0].weak is None
    with pytest.raises(SimileError, match="indexed before scores were calibrated"):
        uncalibrated.find([like(0)], settings=replace(EXACT, matches_only=True))


def test_only_what_is_inside_the_box_counts(greys: Collection) -> None:
    picture = grey(0, (100, 40))
    picture.paste(grey(110, (50, 40)), (50, 0))
    right = greys.find([Example(picture=picture, box=(0.5, 0, 1, 1))], settings=EXACT)
    left = greys.find([Example(picture=picture, box=(0, 0, 0.5, 1))], settings=EXACT)
    assert places(right)[0] == 11 and places(left)[0] == 0


def test_a_part_of_a_stored_picture_does_not_find_that_picture(greys: Collection) -> None:
    part = Example(picture=grey(0), box=(0, 0, 0.5, 1), part_of=IDS[0])
    found = greys.find([part], settings=replace(EXACT, k=11))
    assert set(places(found)) == set(range(1, 12))


def test_a_network_that_many_ask_for_at_once_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def slow(name: str) -> str:
        loaded.append(name)
        time.sleep(0.05)
        return f"network {name}"

    monkeypatch.setattr(query_embedding, "load_encoder", slow)
    names = [f"e:{i % 6}" for i in range(24)]  # more than are kept
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(query_embedding._loaded_encoder, names[:4] * 4))
    assert found == [f"network {name}" for name in names[:4] * 4] and sorted(loaded) == names[:4]
    for name in names:
        query_embedding._loaded_encoder(name)
    assert len(query_embedding._encoders) == query_embedding.KEPT_ENCODERS
    query_embedding._encoders.clear()


def test_the_same_bytes_are_embedded_once(greys: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    grey(30).save(file, "PNG")
    first = greys.find([Example(picture=file.getvalue())], settings=EXACT)
    monkeypatch.setattr("tests.search.conftest.GreyEncoder.encode", None)
    assert places(greys.find([Example(picture=file.getvalue())], settings=EXACT)) == places(first)
    with pytest.raises(TypeError):  # another part of it is another picture
        greys.find([Example(picture=file.getvalue(), box=(0, 0, 0.5, 1))], settings=EXACT)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"metric": "euclid"}, "choose cosine or hamming"),
        ({"k": 0}, "between 1 and 1000"),
        ({"offset": -1}, "offset is -1"),
        ({"combine": "all"}, "any or average"),
        ({"diversity": 1.5}, "between 0 and 1"),
        ({"min_score": 2}, "between -1 and 1"),
        ({"at_most": {"artist": 0}}, "1 or more"),
        ({"filters": {"colour": "x"}}, "no filter field 'colour'; it has: artist, style"),
        ({"excluded": {"colour": ["x"]}}, "no filter field"),
        ({"encoder": "vgg"}, "not indexed with 'vgg'"),
    ],
)
def test_bad_settings_are_one_sentence(greys: Collection, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SimileError, match=said):
        greys.find([like(0)], settings=replace(EXACT, **changed))


def test_bad_examples_are_one_sentence(greys: Collection) -> None:
    with pytest.raises(SimileError, match="nothing to look for"):
        greys.find([], [like(0)])
    with pytest.raises(SimileError, match="at most 64"):
        greys.find([like(0)] * 65)
    with pytest.raises(SimileError, match="search again"):
        greys.find([Example(id="00000000-0000-0000-0000-000000000000")])
    with pytest.raises(SimileError, match="no label that these words name"):
        greys.find([Example(text="a grey day")])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give one of them"),
        ({"id": "x", "text": "y"}, "give one of them"),
        ({"text": "  "}, "give one of them"),
        ({"id": "x", "box": (0, 0, 1, 1)}, "send the picture"),
        ({"picture": b"x", "box": (0.5, 0, 0.5, 1)}, "left < right"),
        ({"picture": b"x", "box": (0, 0, 1.1, 1)}, "from 0 to 1"),
    ],
)
def test_an_example_is_one_thing(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SimileError, match=said):
        Example(**given)


def test_a_slip_of_the_hand_is_no_box(greys: Collection) -> None:
    with pytest.raises(SimileError, match=r"1 × 32 pixels; draw one of 8 × 8"):
        greys.find([Example(picture=grey(0), box=(0, 0, 0.04, 1))])


def test_stored_pictures_come_in_the_order_asked_for(greys: Collection) -> None:
    assert [hit.id for hit in greys.get_many([IDS[3], "0" * 32, IDS[1]])] == [IDS[3], IDS[1]]
    assert greys.get(IDS[2]).label == "artist 2 · even"
