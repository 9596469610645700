"""What older rules of decoding made is used where they gave the same pixels, and only there."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.indexing.account import Account
from pipeline.points import Row, point_id
from pipeline.staging.known import Known, known_pictures
from pipeline.staging.parts import Parts
from pipeline.staging.rejects import Reject
from pipeline.staging.vectors import Staging
from tests.indexing.units_by_hand import WIDTH, ByHand
from tests.sources.conftest import png, put

IDS = [point_id("things", name) for name in ("plain", "clear", "heic")]


def older_part(staging: Staging, ids: list[str], rules: int | None = None) -> None:
    """A part as Simile 0.1.0 left it."""
    columns = {
        "id": ids,
        "vector": pa.FixedSizeListArray.from_arrays(
            pa.array(np.arange(WIDTH * len(ids), dtype=np.float16)), WIDTH
        ),
        "thumbnail": [b"x"] * len(ids),
        "thumbnail_type": ["image/webp"] * len(ids),
        "width": pa.array([4] * len(ids), pa.int32()),
        "height": pa.array([3] * len(ids), pa.int32()),
    }
    about = {"simile.rules": str(rules)} if rules else {}
    put(Path(staging.folder) / f"{hashlib.md5(repr(ids).encode()).hexdigest()}.parquet", b"")
    path = f"{staging.folder}/{hashlib.md5(repr(ids).encode()).hexdigest()}.parquet"
    pq.write_table(pa.table(columns).replace_schema_metadata(about), path)


def known(staging: Staging, again: bool = False) -> Known:
    parts = Parts(staging.home, staging.collection)
    return known_pictures(parts, {"e": staging}, again, parts.names())


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    found = Staging(str(tmp_path), "things", "f")
    older_part(found, IDS[:2])
    path = put(tmp_path / f"staging/things/f/rejects/{'0' * 32}.parquet", b"")
    columns = {name: ["x"] for name in ("stage", "reason", "first_bytes")}
    pq.write_table(pa.table({"id": IDS[2:], **columns}), path)
    return found


def test_staged_vectors_of_earlier_versions_are_found_by_id(staging: Staging) -> None:
    found = known(staging).find("e", IDS, dict.fromkeys(IDS, 1))
    picture, vector = found[IDS[1]]  # type: ignore[misc]
    assert (picture.width, picture.height, picture.thumbnail) == (4, 3, b"x")
    assert vector.tolist() == [4, 5, 6, 7]
    assert isinstance(found[IDS[2]], Reject)
    assert IDS[2] not in known(staging, again=True).find("e", IDS, dict.fromkeys(IDS, 1))
    assert known(staging).find("e", [point_id("things", "other")], {point_id("things", "other"): 1}) == {}


def test_what_older_rules_made_is_not_known_where_newer_ones_count(staging: Staging) -> None:
    rules = {IDS[0]: 1, IDS[1]: 2, IDS[2]: 2}
    assert set(known(staging).find("e", IDS, rules)) == {IDS[0]}
    older_part(staging, IDS[1:2], rules=2)
    assert set(known(staging).find("e", IDS, rules)) == set(IDS[:2])


def test_a_source_whose_pictures_an_earlier_version_staged_is_not_embedded(tmp_path: Path) -> None:
    hand = ByHand(tmp_path / "home")
    for shade in range(3):
        put(tmp_path / f"in/{shade}.png", png(shade))
    ids = [point_id("things", hashlib.sha256(png(shade)).hexdigest()) for shade in range(2)]
    older_part(hand.stagings["e"], ids)
    _, (unit,) = hand.stage(tmp_path / "in")
    assert len(hand.embedded) == 1
    assert len(hand.stagings["e"].read(unit.name).words) == 3
    assert hand.parts.read(unit.name)["thumbnail"].to_pylist() == [b"x", b"x", png(2)]


def test_marks_change_for_these_pictures_alone() -> None:
    plain, clear = Row("{}", ("0.png:0",), None, 1), Row("{}", ("0.png:0",), None, 2)
    assert plain.mark == Row("{}", ("0.png:0",), None).mark != clear.mark


@pytest.mark.parametrize(("single", "embedded", "warned"), [(5, 20, True), (4, 4, False), (5, 100, False)])
def test_many_pictures_of_one_colour_are_worth_a_warning(single: int, embedded: int, warned: bool) -> None:
    account = Account("things", embedded=embedded, single_colour=single)
    assert (f"{single} of {embedded} embedded pictures have one single colour" in account.table()) == warned
