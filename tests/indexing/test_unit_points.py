"""The points of a unit, from units that are staged by hand."""

from collections import Counter
from pathlib import Path

import pytest

from pipeline.indexing.staged import Staged
from pipeline.indexing.unit_points import Target, points_of
from pipeline.staging.parts import Parts
from tests.indexing.units_by_hand import ByHand, projection
from tests.sources.conftest import png, put


def test_a_part_with_many_repeats_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("best", "cats"):
        for shade in range(40):
            put(tmp_path / "pictures" / folder / f"{shade}.png", png(shade))
    hand = ByHand(tmp_path / "home")
    _, units = hand.stage(tmp_path / "pictures")
    assert len(units) > 1
    staged = Staged(hand.catalogue(units), True, hand.parts, hand.stagings)
    target, asked, places = Target(hand.stagings["e"], "v", "v_code", projection()), list[str](), []
    read = Parts.read
    monkeypatch.setattr(Parts, "read", lambda *given: (asked.append(given[1]), read(*given))[1])
    for load in staged.loads(None, False):
        asked.clear()
        for points in points_of(load, hand.parts, [target]):
            places += [payload["_simile"]["places"] for payload in points.payloads]
        assert max(Counter(asked).values()) <= 2  # its own rows, and what repeats them
    names = [f"{shade}.png:0" for shade in range(40)]
    assert sorted(places) == sorted([f"best/{name}", f"cats/{name}"] for name in names)


def test_a_unit_without_one_good_picture_has_no_points(tmp_path: Path) -> None:
    put(tmp_path / "pictures" / "broken.png", b"broken")
    hand = ByHand(tmp_path / "home", {b"broken"})
    _, units = hand.stage(tmp_path / "pictures")
    catalogue = hand.catalogue(units)
    assert (catalogue.source, catalogue.rejected, catalogue.total) == (1, 1, 0)
