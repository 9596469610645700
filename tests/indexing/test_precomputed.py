"""Vectors that were made elsewhere: a column of parquet files is indexed without a network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import Example, open_collection
from pipeline.commands import search as search_command
from pipeline.config import CollectionConfig
from pipeline.encoders import load_encoder
from pipeline.encoders.precomputed import describe_precomputed
from pipeline.errors import SimileError
from pipeline.indexing.decode_and_embed import embed_group
from pipeline.indexing.unit_rows import UnitRows
from pipeline.sources import read_unit, resolve_source, units_of
from pipeline.sources.vector_columns import vector_length, with_vectors
from pipeline.staging.known import known_pictures
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging
from tests.indexing.conftest import Index
from tests.sources.conftest import png

NAME, WIDTH = "precomputed:embedding", 8
VECTORS: list[Any] = [np.eye(WIDTH)[at].tolist() for at in range(6)]


def write_parquet(folder: Path, vectors: list[Any]) -> Path:
    """A picture of its own shade, a label and a vector in each row."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {
        "image": [{"bytes": png(shade), "path": None} for shade in range(len(vectors))],
        "label": ["even" if shade % 2 == 0 else "odd" for shade in range(len(vectors))],
        "embedding": pa.array(vectors, pa.list_(pa.float32())),
    }
    pq.write_table(pa.table(rows), folder / "train-00000-of-00001.parquet")
    return folder


def staged(home: Path, folder: Path, width: int = WIDTH) -> tuple[str, Parts, Staging]:
    """The one unit of a folder, staged without Ray."""
    source = with_vectors(resolve_source(str(folder)), ["embedding"])
    (unit,) = units_of(source)
    parts, staging = Parts(str(home), "things"), Staging(str(home), "things", "given")
    known = known_pictures(parts, {NAME: staging}, False, parts.names())
    rows = UnitRows(source, parts, {NAME: staging}, 1, None, known, {NAME: width})
    for table in read_unit(source, unit, (*source.payload_columns, *source.vector_columns)):
        rows.enter([embed_group({}, 64, rows.add(table))])
    rows.stage(unit.name, True)
    return unit.name, parts, staging


def test_a_column_of_vectors_is_staged_as_it_is(tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "source", VECTORS)
    source = with_vectors(resolve_source(str(folder)), ["embedding"])
    assert source.payload_columns == ("label",)
    assert vector_length(source, "embedding", units_of(source)) == WIDTH
    unit, parts, staging = staged(tmp_path / "home", folder)
    found = staging.read(unit)
    assert sorted(found.vectors.tolist()) == sorted(VECTORS)
    assert not any("embedding" in payload for payload in parts.read(unit)["payload"].to_pylist())
    assert all(parts.read(unit)["thumbnail"].to_pylist())


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        (None, "the column 'embedding' holds no vector; expected 8 numbers"),
        ([1.0, 2.0], "the column 'embedding' holds a vector of another length; expected 8 numbers"),
        ([None, *[1.0] * 7], "the column 'embedding' holds a vector with a gap; expected 8 numbers"),
        ([float("nan"), *[1.0] * 7], "the column 'embedding' holds NaN or infinity; expected 8 numbers"),
        ([0.0] * 8, "the column 'embedding' holds only zeros, as 16-bit floats; expected 8 numbers"),
    ],
)
def test_a_vector_that_cannot_be_compared_is_a_reject(tmp_path: Path, vector: Any, reason: str) -> None:
    folder = write_parquet(tmp_path / "source", [*VECTORS[:3], vector])
    unit, _, staging = staged(tmp_path / "home", folder)
    assert [reject.reason for reject in staging.rejects(unit)] == [reason]
    assert len(staging.read(unit).vectors) == 3


def test_another_vector_of_the_same_picture_is_another_mark(tmp_path: Path) -> None:
    unit, parts, _ = staged(tmp_path / "home", write_parquet(tmp_path / "source", VECTORS))
    before = parts.facts(unit, None).marks
    changed = [VECTORS[0], VECTORS[5], *VECTORS[2:]]
    again, parts, staging = staged(tmp_path / "home", write_parquet(tmp_path / "source", changed))
    after = parts.facts(again, None).marks
    assert (before != after).tolist() == [False, True, False, False, False, False]
    # The marks that are made for another credit also know of the vectors.
    assert (parts.facts(unit, "x").marks != parts.facts(again, "x").marks).tolist() == [
        False,
        True,
        *[False] * 4,
    ]
    assert VECTORS[1] not in staging.read(again).vectors.tolist()


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "source", VECTORS)
    with pytest.raises(SimileError, match="does not hold lists of numbers; these do: embedding"):
        with_vectors(resolve_source(str(folder)), ["label"])
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "0.png").write_bytes(png(0))
    with pytest.raises(SimileError, match="are read only from parquet files"):
        with_vectors(resolve_source(str(pictures)), ["embedding"])
    with pytest.raises(SimileError, match="were made elsewhere, so that a new picture cannot be embedded"):
        load_encoder(NAME)
    assert (
        describe_precomputed(NAME, 8).fingerprint
        != describe_precomputed(NAME, 9).fingerprint
        != describe_precomputed("precomputed:other", 9).fingerprint
    )


@pytest.mark.parametrize(
    ("encoder", "sentence"),
    [
        ({"name": "precomputed"}, "need `column:`"),
        ({"name": "weights:cifar10-cnn", "column": "embedding"}, "`column:` goes with `name: precomputed`"),
    ],
)
def test_a_column_and_its_name_go_together(encoder: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CollectionConfig.model_validate({"collection": "x", "source": "x", "encoders": [encoder]})


@pytest.mark.long
def test_it_is_searched_by_id_and_by_vector(index: Index, tmp_path: Path, capsys) -> None:
    home, source = tmp_path / "home", write_parquet(tmp_path / "source", VECTORS)
    given = {"encoders": [{"name": "precomputed", "column": "embedding"}], "projection": "none"}
    account = index(home, source, **given)
    assert (account.written, account.embedded, account.rejected) == (6, 6, 0)
    found = open_collection("colours", home=str(home))
    assert found.encoders == [NAME]
    asked = np.array(VECTORS[2]) + 0.5 * np.array(VECTORS[3])
    hits = found.find([Example(vector=asked)]).hits
    assert [hit.payload["label"] for hit in hits[:2]] == ["even", "odd"]
    assert hits[0].score == pytest.approx(1 / np.sqrt(1.25), abs=1e-3)
    assert found.search_id(hits[0].id)[0][0].id != hits[0].id
    assert hits[0].image().size == (8, 8) or hits[0].thumbnail
    with pytest.raises(SimileError, match="a new picture cannot be embedded here"):
        found.search(png(1))
    with pytest.raises(SimileError, match="has 8 numbers and this one 3"):
        found.find([Example(vector=[1, 2, 3])])
    (tmp_path / "asked.json").write_text(json.dumps(asked.tolist()))
    options = ["--collection", "colours", "--vector", str(tmp_path / "asked.json"), "--home", str(home)]
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--home")
    parser.add_argument("--url")
    parser.add_argument("--json", action="store_true")
    search_command.add_arguments(parser)
    told = json.loads(search_command.run(parser.parse_args([*options, "--json"])))
    assert [hit["id"] for hit in told["hits"][:2]] == [hit.id for hit in hits[:2]]
    changed = write_parquet(source, [VECTORS[0], VECTORS[5], *VECTORS[2:]])
    assert index(home, changed, **given).written == 1
