"""The colours of pictures, from the job to the search."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline import open_collection
from pipeline.errors import SimileError
from pipeline.images import decode
from pipeline.images.palette import BINS, COLOUR_METHOD, COLOUR_VECTOR, colour_histogram
from pipeline.indexing.decode_and_embed import embed_group
from pipeline.indexing.unit_points import UnitLoad, points_of
from tests.indexing.conftest import Copied, Index, picture, write_pictures
from tests.indexing.test_decode_and_embed import Mean, png
from tests.indexing.units_by_hand import ByHand


def test_colours_are_staged_with_the_thumbnail() -> None:
    group = embed_group({"e": Mean()}, 256, [("red", 1, png((200, 0, 0)))])  # type: ignore[dict-item]
    (kept,) = group.outputs["e"].kept
    staged = np.frombuffer(kept.colours or b"", np.float16)
    assert np.allclose(staged, colour_histogram(decode(png((200, 0, 0)))), atol=1e-3)


def test_what_was_staged_without_colours_has_those_of_its_thumbnail(tmp_path: Path) -> None:
    root, hand = tmp_path / "things", ByHand(tmp_path / "home")
    root.mkdir()
    for at in range(3):
        (root / f"{at}.png").write_bytes(png((80 * at, 0, 255)))
    hand.stage(root)
    (unit,) = hand.parts.names()
    file = f"{hand.parts.folder}/{unit}.parquet"
    older = pq.read_table(file).drop_columns([COLOUR_METHOD])
    pq.write_table(older, file)
    load = UnitLoad(unit, np.packbits([1, 1, 1]), None, {}, colours=True)
    (made,) = points_of(load, hand.parts, [])
    assert made.vectors[COLOUR_VECTOR].shape == (3, BINS)
    row = older["file"].to_pylist().index("2.png")
    expected = colour_histogram(decode((root / "2.png").read_bytes()))
    assert np.allclose(made.vectors[COLOUR_VECTOR][row], expected, atol=1e-6)
    (without,) = points_of(UnitLoad(unit, np.packbits([1, 1, 1]), None, {}), hand.parts, [])
    assert COLOUR_VECTOR not in without.vectors


def labels(home: Path, colour: str, **changes: object) -> list[str]:
    found = open_collection("colours", home=str(home)).search(colours=[colour], k=8, **changes)  # type: ignore[arg-type]
    return [json.loads(json.dumps(hit.payload))["label"] for hit in found]


@pytest.mark.long
def test_a_collection_is_searched_by_colour(indexed: Copied) -> None:
    home, _ = indexed
    assert labels(home, "#dc1e1e") == ["red"] * 8
    assert labels(home, "#1e28dc") == ["blue"] * 8
    assert set(labels(home, "#dc1e1e", filters={"label": ["green"]})) == {"green"}
    assert set(labels(home, "#dc1e1e", image=picture((30, 200, 40), 5))) >= {"green"}


@pytest.mark.long
def test_additions_to_a_collection_of_before_have_none_and_refit_gives_them(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, more = write_pictures(tmp_path / "first", 2), tmp_path / "more"
    with monkeypatch.context() as before:
        before.setattr("pipeline.indexing.build.COLOUR_METHOD", None)
        index(tmp_path / "home", source)
    (more / "red").mkdir(parents=True)
    picture((220, 30, 30), 99).save(more / "red" / "99.png")
    assert index(tmp_path / "home", more, add=True).written == 1
    found = open_collection("colours", home=str(tmp_path / "home"))
    assert found.count == 7 and found.manifest.colours is None
    with pytest.raises(SimileError, match="was indexed without the colours"):
        found.search(colours=["#dc1e1e"])
    assert index(tmp_path / "home", more, add=True, refit=True).embedded == 0
    assert labels(tmp_path / "home", "#dc1e1e")[:3] == ["red"] * 3


@pytest.mark.long
def test_additions_to_a_collection_with_colours_have_theirs(
    index: Index, copied: Copied, tmp_path: Path
) -> None:
    more = tmp_path / "more" / "violet"
    more.mkdir(parents=True)
    picture((160, 30, 220), 1).save(more / "1.png")
    index(copied[0], more.parent, add=True)
    assert labels(copied[0], "#a01edc")[0] == "violet"
