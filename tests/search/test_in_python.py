"""What a person meets who uses the library in Python: one-line texts, containers, pickles, wrong values."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline import Encoder, load_encoder
from pipeline.errors import ImageError, SimileError
from pipeline.fields import FieldKind, read_value
from pipeline.images.several import pictures_of
from pipeline.search import Collection, Example, Hits, Settings, hit
from tests.search.conftest import IDS, N, grey


def test_a_hit_is_one_short_line(greys: Collection) -> None:
    (found,) = greys.search(grey(50), k=1)
    assert repr(found).startswith(f"<Hit {IDS[5]}: score 1.0000, 'artist 2 · odd'")
    odd = hit.hit_from("id", {"artist": "a\n" * 500, "_simile": {"places": ["x\x1b[31m:1"]}}, ["artist"])
    assert "\n" not in repr(odd) and "\x1b" not in repr(odd) and len(repr(odd)) < 250


def test_hits_and_collections_are_pictures_in_a_notebook(greys: Collection) -> None:
    hits = greys.search(grey(0), k=3)
    assert isinstance(hits, Hits) and hits._repr_html_().count("<img src=") == 3
    told = greys._repr_html_()
    assert told.count("<img src=") == 8 and "<td>artist, style</td>" in told
    odd = hit.hit_from("id", {"artist": "<script>"}, ["artist"])
    assert "<script>" not in odd._repr_html_() and "&lt;script&gt;" in odd._repr_html_()


def test_a_hit_opens_its_picture(greys: Collection) -> None:
    image = greys.get(IDS[7]).image()
    assert image.mode == "RGB" and image.size == (32, 32) and image.getpixel((3, 3)) == (70, 70, 70)
    with pytest.raises(ImageError, match="stored without a thumbnail; index it again"):
        hit.hit_from("id", {}, []).image()


def test_a_collection_is_a_container(greys: Collection) -> None:
    assert len(greys) == N and bool(greys)
    assert [one.id for one in greys] == sorted(IDS) == list(greys.ids())
    assert IDS[3] in greys and "00000000-0000-0000-0000-000000000000" not in greys and 3 not in greys
    odd = [one.payload["artist"] for one in greys.pictures({"style": "odd"})]
    assert sorted(odd) == sorted(f"artist {i % 3}" for i in range(1, N, 2))
    assert "greys" in repr(greys) and "e:grey" in repr(greys) and "\n" not in repr(greys)


def test_a_collection_is_pickled_by_its_name(greys: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "very-secret")
    data = pickle.dumps(greys)
    assert len(data) < 1_000 and b"very-secret" not in data
    again = pickle.loads(data)
    assert again.version == greys.version and again.get(IDS[2]) == greys.get(IDS[2])
    assert again.live[0].thumbnails.home == greys.live[0].thumbnails.home  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("weights:cifar10-cnn", device="cpu")


def test_an_encoder_is_pickled_by_its_name(encoder: Encoder) -> None:
    data = pickle.dumps(encoder)
    assert len(data) < 1_000 and repr(encoder) == "<Encoder 'weights:cifar10-cnn': 256 components, on cpu>"
    assert np.array_equal(pickle.loads(data).encode([grey(9)]), encoder.encode([grey(9)]))
    with pytest.raises(SimileError, match="bring the same weights here"):
        pickle.loads(data.replace(encoder.fingerprint.encode(), b"0" * 16))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"k": "10"}, "k is '10', a text; it must be a whole number, between 1 and 1000."),
        ({"k": 2.5}, "k is 2.5, of type float; it must be a whole number, between 1 and 1000."),
        ({"k": True}, "k is True, of type bool; it must be a whole number, between 1 and 1000."),
        ({"exact": "no"}, "exact is 'no', a text; it must be True or False."),
        ({"fold": 1}, "fold is 1, of type int; it must be True or False."),
        (
            {"offset": None},
            "offset is None, of type NoneType; it must be a whole number, between 0 and 1000.",
        ),
        ({"diversity": "0.5"}, "diversity is '0.5', a text; it must be a number between 0 and 1."),
        ({"min_score": float("nan")}, "min_score is nan; it must be between -1 and 1."),
        ({"filters": "style=odd"}, "filters is 'style=odd', a text; it must map fields to what is wanted,"),
        ({"at_most": ["artist"]}, r"at_most is \['artist'\], of type list; it must map fields"),
    ],
)
def test_wrong_settings_are_told_by_name(greys: Collection, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SimileError, match=said):
        greys.find([Example(picture=grey(0))], settings=Settings(**changed))


def test_whole_numbers_of_numpy_are_whole_numbers(greys: Collection) -> None:
    assert len(greys.search(grey(0), k=np.int64(3))) == 3  # type: ignore[arg-type]


def test_text_for_a_number_is_told_by_name() -> None:
    with pytest.raises(SimileError, match="'year' holds whole numbers, and 'about 1900' was given"):
        read_value("year", FieldKind("integer"), "about 1900")


@pytest.mark.parametrize("wrong", ["abc", "", 7, None])
def test_what_is_no_id_is_told(greys: Collection, wrong: Any) -> None:
    for ask in (greys.get, lambda one: greys.get_many([one])):
        with pytest.raises(SimileError, match="is no id of a point; they look like 00000000-"):
            ask(wrong)
    assert greys.get(IDS[1].upper().replace("-", "")).id == IDS[1]
    assert greys.search_id(IDS[1].upper(), k=1)[0]


def test_examples_are_a_list(greys: Collection) -> None:
    with pytest.raises(SimileError, match=r"^likes must be a list of examples, .* got str\."):
        greys.find(["cat.jpg"])  # type: ignore[list-item]
    with pytest.raises(SimileError, match=r"dislikes must be a list of examples, .* got Example\."):
        greys.find([Example(id=IDS[0])], Example(id=IDS[1]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        ("cat.jpg", r"'cat.jpg' is one; write \['cat.jpg'\]"),
        (Path("cat.jpg"), "'cat.jpg' is one"),
        (b"bytes", "this is one"),
        (Image.new("RGB", (9, 9)), "this is one"),
        (np.zeros((9, 9, 3), np.uint8), "this is one"),
        (torch.zeros(3, 9, 9), "this is one"),
        (None, "got a NoneType"),
    ],
)
def test_one_picture_is_not_a_list_of_pictures(
    greys: Collection, encoder: Encoder, one: Any, said: str
) -> None:
    for take, name in ((encoder.encode, "encode"), (greys.embed, "embed")):
        with pytest.raises(ImageError, match=f"{name} takes a list of pictures and .*{said}"):
            take(one)
    assert len(pictures_of(torch.zeros(4, 3, 9, 9), "encode")) == 4  # type: ignore[arg-type]


def test_embed_takes_none_and_more_than_a_batch(greys: Collection) -> None:
    assert greys.embed([]).shape == (0, 32)
    rows = greys.embed([grey(level % 256) for level in range(70)])
    assert rows.shape == (70, 32) and np.array_equal(rows[65], greys.embed([grey(65)])[0])
