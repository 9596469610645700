"""Units that are read again, for another encoder or for their rejects, from a source that changed."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.indexing.catalogue import Catalogue, rows_in
from pipeline.indexing.check import staged_vectors
from pipeline.indexing.staged import Staged
from pipeline.indexing.unit_points import Target, points_of
from pipeline.staging.ids import id_texts
from tests.indexing.conftest import COLOURS, ENCODER, Index, picture
from tests.indexing.units_by_hand import ByHand, drawn, projection
from tests.sources.conftest import png, put

OF_LIST = {"url_column": "url"}  # a list stays the same, whatever becomes of its pictures


@pytest.fixture
def hand(tmp_path: Path) -> ByHand:
    return ByHand(tmp_path / "home")


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A list of six pictures, which is one unit."""
    names = [put(tmp_path / "in" / f"{shade}.png", png(shade)).name for shade in range(6)]
    return put(tmp_path / "in" / "list.csv", "\n".join(["url", *names, ""]).encode())


def target_of(hand: ByHand) -> Target:
    return Target(hand.stagings[hand.encoder], "v", "v_code", projection())


def vectors(hand: ByHand, catalogue: Catalogue) -> dict[str, np.ndarray]:
    """Address -> vector of all that is to be written."""
    staged, found = Staged(catalogue, True, hand.parts, hand.stagings), {}
    for load in staged.loads(None, False):
        for each in points_of(load, hand.parts, [target_of(hand)]):
            found |= zip((payload["url"] for payload in each.payloads), each.vectors["v"], strict=True)
    return found


def test_what_cannot_be_read_for_another_encoder_is_its_reject(hand: ByHand, listed: Path) -> None:
    hand.stage(listed, **OF_LIST)
    (listed.parent / "0.png").unlink()
    put(listed.parent / "1.png", png(99))
    hand.bad, hand.encoder = {png(2)}, "f"
    _, units = hand.stage(listed, **OF_LIST)
    catalogue = hand.catalogue(units)
    assert (catalogue.source, catalogue.rejected, catalogue.to_write, catalogue.unreadable) == (6, 3, 3, 2)
    told = {name: group.examples[0].place for name, group in catalogue.rejects.groups.items()}
    assert told == {
        "plan: not there": "list.csv:0",
        "plan: is another one now": "list.csv:1",
        "decode: cut short": "list.csv:2",
    }
    found = vectors(hand, catalogue)
    assert sorted(found) == ["3.png", "4.png", "5.png"]
    for shade in (3, 4, 5):
        np.testing.assert_allclose(found[f"{shade}.png"], drawn(png(shade)), atol=1e-2)
    hand.encoder = "e"  # whose vectors are all there
    assert len(vectors(hand, hand.catalogue(units))) == 6


def test_a_unit_of_which_nothing_can_be_read_any_more_has_no_points(hand: ByHand, listed: Path) -> None:
    hand.stage(listed, **OF_LIST)
    for shade in range(6):
        (listed.parent / f"{shade}.png").unlink()
    hand.encoder = "f"
    _, units = hand.stage(listed, **OF_LIST)
    catalogue = hand.catalogue(units)
    assert (catalogue.rejected, catalogue.total, vectors(hand, catalogue)) == (6, 0, {})


def test_what_could_not_be_read_in_one_place_is_tried_in_another(hand: ByHand, listed: Path) -> None:
    hand.stage(listed, **OF_LIST)
    (listed.parent / "0.png").unlink()
    hand.encoder = "f"
    hand.stage(listed, **OF_LIST)
    put(listed.parent / "other" / "0.png", png(0))
    other = put(listed.parent / "other" / "list.csv", b"url\n0.png\n")
    _, units = hand.stage(other, **OF_LIST)
    catalogue = hand.catalogue(units)
    assert (catalogue.rejected, list(vectors(hand, catalogue))) == (0, ["0.png"])


def test_rejects_are_tried_again_and_their_neighbours_stay(hand: ByHand, listed: Path) -> None:
    (listed.parent / "4.png").unlink()
    hand.bad = {png(5)}
    _, units = hand.stage(listed, **OF_LIST)
    assert hand.catalogue(units).rejected == 2
    (listed.parent / "0.png").unlink()
    put(listed.parent / "1.png", png(99))
    put(listed.parent / "4.png", png(4))
    hand.bad, tried = set(), len(hand.embedded)
    hand.stage(listed, again=True, **OF_LIST)
    catalogue = hand.catalogue(units)
    assert (len(hand.embedded) - tried, catalogue.rejected) == (2, 0)
    found = vectors(hand, catalogue)
    for shade in range(6):
        np.testing.assert_allclose(found[f"{shade}.png"], drawn(png(shade)), atol=1e-2)
    thumbnails = hand.parts.read(units[0].name, ["thumbnail"])["thumbnail"].to_pylist()
    assert thumbnails == [png(shade) for shade in range(6)]


def test_a_reject_of_one_encoder_stays_what_it_is_for_others(hand: ByHand, listed: Path) -> None:
    hand.stage(listed, **OF_LIST)
    (listed.parent / "0.png").unlink()
    put(listed.parent / "1.png", png(99))
    hand.encoder = "f"
    for again in (False, True):
        _, units = hand.stage(listed, again=again, **OF_LIST)
        told = hand.catalogue(units).rejects.groups
        assert list(told) == ["plan: not there", *["plan: is another one now"] * (not again)]
    assert hand.parts.read(units[0].name, ["thumbnail"])["thumbnail"][0].as_py() == png(0)
    np.testing.assert_allclose(vectors(hand, hand.catalogue(units))["1.png"], drawn(png(99)), atol=1e-2)
    put(listed.parent / "0.png", png(0))
    hand.stage(listed, again=True, **OF_LIST)
    assert (hand.catalogue(units).rejected, len(vectors(hand, hand.catalogue(units)))) == (0, 6)


def test_another_picture_never_lends_its_vector(hand: ByHand, listed: Path) -> None:
    _, units = hand.stage(listed, **OF_LIST)
    catalogue, staging = hand.catalogue(units), hand.stagings["e"]
    found = staging.read(units[0].name)
    first, *others = id_texts(found.words)
    staging.write(units[0].name, others, found.vectors[1:], [])
    sentence = rf"no vectors of 1 pictures of its unit, such as {first}\. Remove it and run the job again"
    with pytest.raises(SimileError, match=sentence):
        vectors(hand, catalogue)
    with pytest.raises(SimileError, match=sentence):
        staged_vectors(target_of(hand), units[0].name, rows_in(catalogue.points[0]), hand.parts)


@pytest.mark.long
def test_an_encoder_is_added_while_an_address_is_dead(index: Index, tmp_path: Path) -> None:
    for seed in range(6):
        picture(COLOURS["red"], seed).save(tmp_path / f"{seed}.png")
    source = put(tmp_path / "list.csv", "\n".join(["url", *(f"{n}.png" for n in range(6)), ""]).encode())
    home, settings = tmp_path / "home", {"url_column": "url", "max_reject_fraction": 0.5}
    assert index(home, source, **settings).written == 6
    (tmp_path / "0.png").rename(tmp_path / "away.png")
    settings["encoders"] = [{"name": ENCODER}, {"name": "pypi:efficientnet-lite0@64px"}]
    second = index(home, source, **settings)
    assert (second.source, second.written, second.rejected) == (6, 5, 1)
    (reject,) = second.rejects.first
    assert (reject.kind, reject.place) == ("not there", "list.csv:0")
    (tmp_path / "away.png").rename(tmp_path / "0.png")
    third = index(home, source, retry_rejects=True, **settings)
    assert (third.written, third.skipped, third.rejected) == (1, 5, 0)
