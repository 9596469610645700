"""Planted copies among small paintings: found by the index and their pixels, grouped, listed."""

import csv
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.duplicates import pairs as pairs_module
from pipeline.duplicates.assemble import assemble
from pipeline.duplicates.candidates import candidate_cosine
from pipeline.duplicates.groups import Group, KeepRule, keep_rule, make_groups
from pipeline.duplicates.listing import path_of, rows_of, write_listing
from pipeline.duplicates.pairs import Pair, PairSearch
from pipeline.duplicates.same_picture import Look, Pixels, compare
from pipeline.duplicates.signatures import Signatures, read_signatures
from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.points import RESERVED
from pipeline.search import Collection
from pipeline.store.id_slices import id_slices
from ray_jobs import duplicates
from tests.duplicates.conftest import COPIED, painting, pictures, point


def names_of(group: Group) -> set[str]:
    known = {point(name): name for name in pictures()}
    return {known[member.id] for member in group.members}


@pytest.mark.parametrize("kind", ["jpeg", "scaled", "cropped", "turned"])
def test_copies_are_the_same_picture_and_others_are_not(kind: str) -> None:
    first, copy = Pixels(painting(COPIED[kind])), Pixels(pictures()[f"{kind}-{COPIED[kind]}"])
    match = compare(first, copy)
    assert match.correlation > 0.93 and (match.moved < 0.02) == (kind in ("jpeg", "scaled"))
    assert compare(first, Pixels(painting(99))).correlation < 0.6


def test_mirrored_pictures_are_the_same_if_asked() -> None:
    first, copy = Pixels(painting(4)), Pixels(pictures()["mirrored-4"])
    assert compare(first, copy).correlation < 0.6
    match = compare(first, copy, mirrored=True)
    assert match.correlation > 0.99 and match.mirrored and match.moved < 0.01
    assert not compare(first, first, mirrored=True).mirrored


def test_a_crop_says_how_far_its_corners_moved() -> None:
    whole = painting(7, (200, 200))
    match = compare(Pixels(whole), Pixels(whole.crop((0, 0, 190, 190))))
    assert match.correlation > 0.98 and match.moved == pytest.approx(0.05 * np.sqrt(2) / 0.95, abs=0.02)


def test_other_colours_and_no_colours_are_not_the_same() -> None:
    picture = painting(1)
    hue, saturation, value = picture.convert("HSV").split()
    other_hue = hue.point(lambda level: (level + 128) % 256)
    recoloured = Image.merge("HSV", (other_hue, saturation, value)).convert("RGB")
    assert compare(Pixels(picture), Pixels(recoloured)).correlation < 0.9
    blank = Pixels(picture.resize((1, 1)).resize((50, 50)))
    assert compare(blank, blank).correlation == 0.0


def signatures_of(collection: Collection) -> Signatures:
    store, version = collection.live
    return Signatures.joined(read_signatures(version.name, store, each) for each in reversed(id_slices(3)))


@pytest.mark.parametrize(
    ("mirrored", "kinds"), [(False, ("jpeg", "scaled")), (True, ("jpeg", "mirrored", "scaled"))]
)
def test_what_was_saved_again_looks_alike_however_far_its_vector_is(
    paintings: Collection, mirrored: bool, kinds: tuple[str, ...]
) -> None:
    signatures = signatures_of(paintings)
    assert signatures.ids.tolist() == sorted(point(name).encode() for name in pictures())
    found = [signatures.alike(each, mirrored) for each in id_slices(4)]
    alike = {frozenset((own, other)) for some in found for own, others in some.items() for other in others}
    named = [(f"original-{COPIED[kind]}", f"{kind}-{COPIED[kind]}") for kind in kinds]
    wanted = {frozenset((point(first), point(second))) for first, second in named}
    assert wanted <= alike and len(alike) <= len(kinds) + 2
    blank = Signatures(np.array([b"a", b"b"]), np.full((2, 32, 32), 200, np.uint8))
    assert blank.alike(id_slices(1)[0], mirrored) == {}


@pytest.mark.parametrize("slices", [1, 5])
def test_planted_copies_are_found_and_nothing_else(paintings: Collection, slices: int) -> None:
    store, version = paintings.live
    entry = version.manifest.encoder()
    near = candidate_cosine(store, version, entry, mirrored=False)
    assert 0.3 <= near < 0.98
    search = PairSearch(version, entry, signatures_of(paintings), near)
    results = [search.in_slice(store, each) for each in id_slices(slices)]
    assert sum(result.points for result in results) == len(pictures())
    found = assemble(store, version.name, results, KeepRule())
    wanted = [
        {f"original-{number}", f"{kind}-{number}"} for kind, number in COPIED.items() if kind != "mirrored"
    ]
    groups = [names_of(group) for group in found.groups]
    assert sorted(map(sorted, groups)) == sorted(map(sorted, [*wanted, {"original-11"}]))
    assert found.copies == 5 and found.pairs == 4
    for group in found.groups:
        name = next((n for n in names_of(group) if not n.startswith("original")), "")
        expected = {"jpeg": "re-encoded", "scaled": "re-encoded", "cropped": "edited", "turned": "edited"}
        assert group.members[-1].kind == expected.get(name.partition("-")[0], "exact")


def test_mirrored_copies_are_found_if_asked(paintings: Collection) -> None:
    store, version = paintings.live
    search = PairSearch(version, version.manifest.encoder(), signatures_of(paintings), -1.0, mirrored=True)
    found = {(pair.first, pair.second): pair for pair in search.in_slice(store, id_slices(1)[0]).pairs}
    first, second = sorted((point("original-4"), point("mirrored-4")))
    assert len(found) == 5 and found[first, second].kind == "mirrored"


def test_a_crowd_of_copies_is_one_group(paintings: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    """All neighbours that were asked for are copies: there may be more, and more are asked for."""
    monkeypatch.setattr(pairs_module, "_NEIGHBOURS", 1)
    monkeypatch.setattr(pairs_module, "_pixels", lambda store, version, ids: dict.fromkeys(ids, SAME))
    store, version = paintings.live
    monkeypatch.setattr(Signatures, "may_be_same", lambda self, own, others, mirrored: others)
    here = Look(np.eye(3), fits=False, alike=True)
    monkeypatch.setattr(Signatures, "likely", lambda self, pairs, mirrored: {pair: [here] for pair in pairs})
    search = PairSearch(version, version.manifest.encoder(), signatures_of(paintings), -1.0)
    result = search.in_slice(store, id_slices(1)[0])
    n = len(pictures())
    assert len(result.pairs) == n * (n - 1) // 2


SAME = Pixels(painting(0))


def facts(**payloads: Any) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "year": year,
            "when": when,
            RESERVED: {"width": side, "height": side, "places": [f"{name}.jpg:0"]},
        }
        for name, (side, year, when) in payloads.items()
    }


FACTS = facts(
    a=(10, 1950, "2024-01-02"), b=(30, 1900, "2024-01-01T23:00:00-02:00"), c=(20, None, "2023-05-05")
)
PAIRS = [Pair("a", "b", "re-encoded", 0.98), Pair("b", "c", "edited", 0.93)]
KINDS = {"year": FieldKind("integer"), "when": FieldKind("time")}


@pytest.mark.parametrize(
    ("rule", "order"),
    [
        ("largest", "bca"),
        ("year", "bac"),
        ("-year", "abc"),
        ("when", "cab"),
        ("-when", "bac"),
        ("oldest", "cab"),
    ],
)
def test_what_is_kept_comes_first(rule: str, order: str) -> None:
    """c has no year, so that it comes last both ways; 23:00 two hours behind UTC is already the next day."""
    (group,) = make_groups(PAIRS, FACTS, keep_rule(rule, KINDS, "things"))
    assert "".join(member.id for member in group.members) == order
    kinds = {member.id: (member.kind, member.correlation) for member in group.members}
    assert kinds == {"a": ("re-encoded", 0.98), "b": ("re-encoded", 0.98), "c": ("edited", 0.93)}


def test_a_rule_that_does_not_fit_is_told() -> None:
    with pytest.raises(SimileError, match="no filter field 'size' to keep by; it has: year, when"):
        keep_rule("size", KINDS, "things")
    with pytest.raises(SimileError, match=r"no single field of times \(it has: none\); name the field"):
        keep_rule("oldest", {"year": KINDS["year"]}, "things")


def test_a_row_for_each_place_and_what_is_kept_first(tmp_path: Path) -> None:
    payloads = facts(a=(10, 1, None), b=(30, 1, None))
    payloads["b"][RESERVED]["places"] = ["x/b.jpg:0", "=b.jpg:0", "data.parquet:7"]
    rows = rows_of(make_groups(PAIRS[:1], payloads, KeepRule()))
    assert [(row["keep"], row["path"], row["kind"]) for row in rows] == [
        (True, "=b.jpg", "re-encoded"),
        (False, "data.parquet:7", "exact"),
        (False, "x/b.jpg", "exact"),
        (False, "a.jpg", "re-encoded"),
    ]
    files = write_listing(rows, str(tmp_path))
    assert pq.read_table(files["duplicates.parquet"]).to_pylist() == rows
    with Path(files["duplicates.csv"]).open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["path"] == "'=b.jpg"
    assert Path(files["not-kept.txt"]).read_text("utf-8") == "data.parquet:7\nx/b.jpg\na.jpg\n"
    assert path_of("deep/PHOTO.JPEG:0") == "deep/PHOTO.JPEG"


def test_the_job_writes_a_page_and_tables(
    paintings: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "ray_session", nullcontext)
    monkeypatch.setattr(
        "ray_jobs.over_slices.over_slices",
        lambda work, store, slices: ((at, work(store, each)) for at, each in enumerate(slices)),
    )
    monkeypatch.setattr("pipeline.search.open_collection", lambda *given: paintings)
    duplicates.main(["paintings", "--output", f"{tmp_path}/out", "--mirrored"])
    told = json.loads(capsys.readouterr().out)
    assert (told["groups"], told["copies"], told["points"]) == (6, 6, 17)
    page = (tmp_path / "out" / "duplicates.html").read_text("utf-8")
    assert page.count("<section") == 6 and page.count('<img src="data:') == 11 and "mirrored" in page
    assert len((tmp_path / "out" / "not-kept.txt").read_text("utf-8").splitlines()) == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--threshold", "2"], "--threshold is 2.0; it must be between 0 and 1"),
        (["--near", "-1"], "--near is -1.0; it must be between 0 and 1"),
        (["--output", "out"], "give an absolute folder or a URL"),
        ([], "Collection 'x' does not exist"),
    ],
)
def test_mistakes_are_sentences(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        duplicates.main(["x", "--home", str(tmp_path), *arguments])
    assert said in capsys.readouterr().err
