"""Hits as tables and contact sheets: nothing is lost, and no cell is a formula."""

import csv
import io
import json

import pytest
from PIL import Image

from pipeline.search import Hit
from pipeline.search.contact_sheet import contact_sheet
from pipeline.search.hit_table import as_csv, as_json


def _hits() -> list[Hit]:
    file = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(file, "PNG")
    about = {"_simile": {"places": ["data.parquet:3"]}}
    return [
        Hit(f"id{i}", 0.9, 0.1, {"artist": "=cmd()", **about}, file.getvalue(), "image/png") for i in range(8)
    ]


def test_exports_hold_every_hit_and_no_formula() -> None:
    ranks = [{"rank": i, "score": 0.9} for i in range(1, 9)]
    rows = list(csv.DictReader(io.StringIO(as_csv(_hits(), ranks))))
    assert len(rows) == 8 and rows[0] == {
        "rank": "1", "score": "0.9", "id": "id0", "artist": "'=cmd()", "places": "data.parquet:3"
    }  # fmt: skip
    told = json.loads(as_json(_hits(), ranks, {"collection": "things"}))
    assert told["collection"] == "things" and told["hits"][7]["artist"] == "=cmd()"
    sheet = Image.open(io.BytesIO(contact_sheet([hit.thumbnail for hit in _hits()], ["caption " * 20] * 8)))
    assert sheet.format == "JPEG" and sheet.width > 6 * 200 and sheet.height > 2 * 200
    assert sheet.getpixel((12 + 100, 12 + 100))[0] > 200, "the picture is in its place"


@pytest.mark.parametrize("sign", "=+-@＝＋－＠")
@pytest.mark.parametrize(
    "before", ["", " ", "\t", "\r\n", "\ufeff", "\u00a0\u3000", "\u200b", "\x00", "\u2066"]
)
def test_formulas_are_quoted_behind_anything_that_is_not_seen(before: str, sign: str) -> None:
    formula = f"{before}{sign}cmd|' /C calc'!A0"
    hit = Hit("id", 0.9, 0.1, {formula: "x", "artist": formula}, b"")
    names, row = csv.reader(io.StringIO(as_csv([hit], [{"rank": 1}]), newline=""))
    assert names[2] == "'" + formula and row[3] == "'" + formula


def test_other_text_and_numbers_are_exported_as_they_are() -> None:
    payload = {"artist": "Henri de Toulouse-Lautrec", "born": -1864, "mail": "a@b", "place": " Albi"}
    _, row = csv.reader(io.StringIO(as_csv([Hit("id", 0.9, 0.1, payload, b"")], [{"rank": 1}])))
    assert row == ["1", "id", "Henri de Toulouse-Lautrec", "-1864", "a@b", " Albi", ""]


def test_source_columns_called_as_ours_are_kept_with_a_prefix() -> None:
    payload = {"rank": "colonel", "id": 7, "score": "4:2", "source_id": 8, "places": "here"}
    hit = Hit("point", 0.9, 0.1, payload | {"_simile": {"places": ["a.jpg:0"]}}, b"")
    (row,) = csv.DictReader(io.StringIO(as_csv([hit], [{"rank": 1, "score": 0.9}])))
    assert row == {
        "rank": "1", "score": "0.9", "id": "point", "places": "a.jpg:0", "source_rank": "colonel",
        "source_source_id": "7", "source_score": "4:2", "source_id": "8", "source_places": "here",
    }  # fmt: skip
